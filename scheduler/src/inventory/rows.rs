//! The region's tables as the scheduler sees them: the columns it reads, and the three it alone changes
//! (`host.vcpus_used`, `host.memory_used`, `storage.claimed`). Ids stay text, so that an odd row is left out alone.

pub mod host {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "host")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub account_id: String,
        pub zone_id: String,
        pub state: String,
        pub intent: String,
        pub architecture: String,
        pub hypervisor: String,
        pub driver: String,
        pub vcpus: i64,
        pub memory: i64,
        pub vcpus_used: i64,
        pub memory_used: i64,
        pub cpu_overcommit: i64,
        pub memory_overcommit: i64,
        pub memory_reserved: i64,
        /// JSON list: `gpu`, `rack=a`, `bridge:br0`.
        pub tags: String,
        pub updated_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod storage {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "storage")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub host_id: String,
        pub backend: String,
        pub capacity: i64,
        pub claimed: i64,
        pub enabled: bool,
        pub updated_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod network {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "network")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub bridge: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod zone {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "zone")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod account {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
