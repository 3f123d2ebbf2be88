//! Deleting a network: from every host that has it, then from the table.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{
    Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Outcome, Started, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, Error, ExternalRef, NetworkId, Result, states};
use web::Made;

use super::{Column, Entity, Model, ensure, target};
use crate::{
    account, address,
    clouds::{StepClouds, family, place, settled},
    swap::{set, swap},
};

pub async fn begin(cx: &Cx, tx: &mut Tx, row: Model) -> Result<Made<Entity>> {
    let used = address::Entity::find()
        .filter(address::Column::NetworkId.eq(row.id))
        .filter(address::Column::ServerId.is_not_null());
    tx.lock(Entity::find_by_id(row.id)).await?;
    if tx.one(used).await?.is_some() {
        let message = format!(
            "network `{}` has servers on it ({} addresses in use): delete those servers first",
            row.name, row.used
        );
        return Err(Error::conflict(message).code("in_use").on("network", row.id));
    }
    let task = match task::join_or_start(cx, tx, &DeleteNetwork { network: row.id }, target(&row)).await? {
        Started::New(task) => task,
        Started::Joined(task) => return Ok(Made::joined(task, row)),
    };
    let next = row.state.to(states::Network::Deleting)?;
    let row = swap::<Entity>(tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok(Made::by(task, row))
}

#[derive(Serialize, Deserialize)]
pub struct DeleteNetwork {
    network: NetworkId,
}

impl Workflow for DeleteNetwork {
    const NAME: &'static str = "network-delete";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let places = cx.step(ListPlaces { network: self.network }).await?;
        for (account, host) in places {
            cx.step(RemoveNetwork {
                network: self.network,
                account,
                host,
            })
            .await?;
        }
        Ok(())
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let (next, fault) = match outcome.error() {
            Some(error) => (states::Network::Failed, Some(error.chain())),
            None => (states::Network::Deleted, None),
        };
        let row = set::<Entity>(tx, self.network, |u| {
            u.col_expr(Column::State, Expr::value(next))
                .col_expr(Column::Fault, Expr::value(fault))
        })
        .await?;
        if next == states::Network::Deleted {
            tx.delete(address::Entity::delete_many().filter(address::Column::NetworkId.eq(self.network)))
                .await?;
            tx.refund(&row.project_id, &[("networks", 1)]).await?;
        }
        web::noun::announce::<Entity>(cx, tx, &row, next.as_str()).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![ListPlaces, RemoveNetwork]
    }
}

/// Where it is.
#[derive(Serialize, Deserialize)]
pub struct ListPlaces {
    network: NetworkId,
}

impl Step for ListPlaces {
    type Output = Vec<(AccountId, ExternalRef)>;
    const NAME: &'static str = "list-places";

    async fn run(&self, cx: &StepCx) -> Result<Self::Output> {
        let rows = ensure::Entity::find().filter(ensure::Column::NetworkId.eq(self.network));
        let rows = cx.store().all(rows).await?;
        Ok(rows.into_iter().map(|row| (row.account_id, row.host())).collect())
    }

    /// Looking changes nothing.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// Remove it from one host. Of a cloud account that is forgotten there is nobody to ask, and only the row goes.
#[derive(Serialize, Deserialize)]
pub struct RemoveNetwork {
    pub network: NetworkId,
    pub account: AccountId,
    pub host: ExternalRef,
}

impl Step for RemoveNetwork {
    type Output = ();
    const NAME: &'static str = "remove-network";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let row = ensure::Entity::find_by_id((self.network, self.account, self.host.to_string()));
        if let Some(row) = cx.store().one(row).await?
            && !account::is_forgotten(cx.store(), self.account).await?
        {
            self.ask(cx, row.external_id).await?;
        }
        let tx = cx.tx().await?;
        tx.delete(
            ensure::Entity::delete_many()
                .filter(ensure::Column::NetworkId.eq(self.network))
                .filter(ensure::Column::AccountId.eq(self.account))
                .filter(ensure::Column::HostId.eq(self.host.as_str())),
        )
        .await?;
        cx.commit(tx, &()).await
    }

    /// The next server there makes it again.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

impl RemoveNetwork {
    async fn ask(&self, cx: &StepCx, known: Option<ExternalRef>) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let networks = family(cloud.networks(), "networks")?;
        // Without a reference the effect may or may not have happened: creating again with the token finds it.
        let external = match known {
            Some(external) => external,
            None => {
                let network = cx.store().one(Entity::find_by_id(self.network)).await?;
                let network = network.ok_or_else(|| Error::not_found("network", self.network))?;
                let (place, token) = (place(&self.host, None), ensure::token(self.network));
                settled(cx, networks.create(&cx.call(), &network.spec(), &place, &token).await?)?
            }
        };
        settled(cx, networks.delete(&cx.call(), &external).await?)
    }
}
