//! The scheduler's claims as the region sees them: whose they are, and on which host. Only forgetting a host changes them.

use store::{
    Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter},
};
use types::{HostId, Result, states};

use crate::{disk, server};

mod claim {
    use store::sea_orm::{self, entity::prelude::*};

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "claim")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub consumer: String,
        pub host_id: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod group {
    use store::sea_orm::{self, entity::prelude::*};

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "claim_group")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub claim_id: String,
        pub host_id: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Something that exists and holds capacity of the host, though its row may not name the host yet.
pub async fn holder(tx: &Tx, host: HostId) -> Result<Option<String>> {
    let claims = claim::Entity::find().filter(claim::Column::HostId.eq(host));
    for claim in tx.all(claims).await? {
        let found = match claim.consumer.split_once('/') {
            Some(("server", id)) => {
                let live = server::Column::State.ne(states::Server::Deleted);
                let row = server::Entity::find().filter(server::Column::Id.eq(id)).filter(live);
                tx.one(row)
                    .await?
                    .map(|row| format!("a claim of server `{}`", row.name))
            }
            Some(("disk", id)) => {
                let live = disk::Column::State.ne(states::Disk::Deleted);
                let row = disk::Entity::find().filter(disk::Column::Id.eq(id)).filter(live);
                tx.one(row).await?.map(|row| format!("a claim of disk `{}`", row.name))
            }
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Deletes what nobody holds any more.
pub async fn drop_all(tx: &Tx, host: HostId) -> Result<()> {
    tx.delete(group::Entity::delete_many().filter(group::Column::HostId.eq(host)))
        .await?;
    tx.delete(claim::Entity::delete_many().filter(claim::Column::HostId.eq(host)))
        .await
        .map(drop)
}
