//! Making a network exist where a server needs it. The intent is a row before the effect, so that deleting finds it.

use serde::{Deserialize, Serialize};
use store::{
    Tx,
    sea_orm::{
        self,
        ActiveValue::Set,
        ColumnTrait, EntityTrait, QueryFilter,
        entity::prelude::*,
        sea_query::{Expr, OnConflict},
    },
};
use task::{Step, StepCx};
use types::{AccountId, ExternalRef, NetworkId, Result, Timestamp};

use crate::{
    clouds::{StepClouds, family, place, settled},
    network,
};

/// A network at one host.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "network_place")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub network_id: NetworkId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The host's own reference.
    #[sea_orm(primary_key, auto_increment = false)]
    pub host_id: String,
    pub external_id: Option<ExternalRef>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn host(self) -> ExternalRef {
        ExternalRef::new(self.host_id)
    }
}

/// Make the network on the host, or find it there.
#[derive(Serialize, Deserialize)]
pub struct EnsureNetwork {
    pub network: NetworkId,
    pub account: AccountId,
    pub host: ExternalRef,
}

impl Step for EnsureNetwork {
    type Output = ExternalRef;
    const NAME: &'static str = "ensure-network";

    async fn run(&self, cx: &StepCx) -> Result<ExternalRef> {
        let tx = cx.tx().await?;
        let row = crate::swap::current::<network::Entity>(&tx, self.network).await?;
        self.intend(&tx).await?;
        tx.commit().await?;
        let cloud = cx.cloud(self.account).await?;
        let networks = family(cloud.networks(), "networks")?;
        let made = networks
            .create(&cx.call(), &row.spec(), &place(&self.host, None), &token(self.network))
            .await?;
        let external = settled(cx, made)?;
        let tx = cx.tx().await?;
        let known = Entity::update_many().col_expr(Column::ExternalId, Expr::value(external.clone()));
        tx.update(self.here(known)).await?;
        cx.commit(tx, &external).await?;
        Ok(external)
    }

    /// It stays until the network is deleted: other servers may use it by now.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// One token for all hosts: a network is one thing, wherever it is.
pub fn token(network: NetworkId) -> contract::Token {
    contract::Token::new(network.to_string())
}

impl EnsureNetwork {
    async fn intend(&self, tx: &Tx) -> Result<()> {
        let row = ActiveModel {
            network_id: Set(self.network),
            account_id: Set(self.account),
            host_id: Set(self.host.to_string()),
            external_id: Set(None),
            created_at: Set(Timestamp::now()),
        };
        let keys = [Column::NetworkId, Column::AccountId, Column::HostId];
        let mut insert = Entity::insert(row);
        let insert = sea_orm::QueryTrait::query(&mut insert)
            .on_conflict(OnConflict::columns(keys).do_nothing().to_owned())
            .to_owned();
        tx.execute(&insert).await.map(drop)
    }

    fn here<Q: QueryFilter>(&self, query: Q) -> Q {
        query
            .filter(Column::NetworkId.eq(self.network))
            .filter(Column::AccountId.eq(self.account))
            .filter(Column::HostId.eq(self.host.as_str()))
    }
}
