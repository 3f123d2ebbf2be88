//! Forgetting an account without servers and disks of ours. The networks we made on its cloud are removed first, unless
//! the account has failed: a cloud that is gone must not keep its account for ever.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{
    Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Outcome, Started, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, Error, ExternalRef, NetworkId, Result, states};
use web::Made;

use super::{Column, Entity, Model, target};
use crate::{
    State, disk, host,
    network::{delete::RemoveNetwork, ensure},
    server,
    swap::{current, set, swap},
};

pub async fn begin(cx: &Cx, tx: &mut Tx, row: Model) -> Result<Made<Entity>> {
    if let Some(used) = used_by(tx, row.id).await? {
        let message = format!("cloud account `{}` still has {used}: delete it first", row.name);
        return Err(Error::conflict(message).code("in_use").on("cloud-account", row.id));
    }
    let task = match task::join_or_start(cx, tx, &Forget { account: row.id }, target(&row)).await? {
        Started::New(task) => task,
        Started::Joined(task) => return Ok(Made::joined(task, row)),
    };
    let next = row.state.to(states::Account::Deleting)?;
    let row = swap::<Entity>(tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok(Made::by(task, row))
}

async fn used_by(tx: &Tx, account: AccountId) -> Result<Option<String>> {
    // What is about to be made has a claim on a host before its row names host and account.
    for host in tx
        .all(host::Entity::find().filter(host::Column::AccountId.eq(account)))
        .await?
    {
        if let Some(used) = host::delete::used_by(tx, host.id).await? {
            return Ok(Some(used));
        }
    }
    let servers = server::Entity::find()
        .filter(server::Column::AccountId.eq(account))
        .filter(server::Column::State.ne(states::Server::Deleted));
    if let Some(server) = tx.one(servers).await? {
        return Ok(Some(format!("server `{}`", server.name)));
    }
    let disks = disk::Entity::find()
        .filter(disk::Column::AccountId.eq(account))
        .filter(disk::Column::State.ne(states::Disk::Deleted));
    Ok(tx.one(disks).await?.map(|disk| format!("disk `{}`", disk.name)))
}

#[derive(Serialize, Deserialize)]
pub struct Forget {
    account: AccountId,
}

impl Workflow for Forget {
    const NAME: &'static str = "cloud-account-delete";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let account = self.account;
        for (network, host) in cx.step(ListNetworks { account }).await? {
            let removed = RemoveNetwork { network, account, host };
            cx.step(removed).await?;
        }
        cx.step(Disconnect { account }).await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let next = match outcome.error() {
            Some(_) => states::Account::Failed,
            None => {
                forget(tx, self.account).await?;
                states::Account::Deleted
            }
        };
        let fault = outcome.error().map(|error| {
            let why = error.chain();
            format!("{why}; delete it again to forget it as it is, with what is left on its cloud")
        });
        let row = set::<Entity>(tx, self.account, |u| {
            u.col_expr(Column::State, Expr::value(next))
                .col_expr(Column::Fault, Expr::value(fault))
        })
        .await?;
        web::noun::announce::<Entity>(cx, tx, &row, next.as_str()).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![ListNetworks, RemoveNetwork, Disconnect]
    }
}

/// What was known of its cloud.
async fn forget(tx: &mut Tx, account: AccountId) -> Result<()> {
    for host in tx
        .all(host::Entity::find().filter(host::Column::AccountId.eq(account)))
        .await?
    {
        host::delete::forget(tx, &host).await?;
    }
    // A network may be there without a host.
    tx.delete(ensure::Entity::delete_many().filter(ensure::Column::AccountId.eq(account)))
        .await
        .map(drop)
}

/// The networks to be removed from its cloud, each with the host that has it.
#[derive(Serialize, Deserialize)]
pub struct ListNetworks {
    account: AccountId,
}

impl Step for ListNetworks {
    type Output = Vec<(NetworkId, ExternalRef)>;
    const NAME: &'static str = "list-networks";

    async fn run(&self, cx: &StepCx) -> Result<Self::Output> {
        let tx = cx.tx().await?;
        let row = current::<Entity>(&tx, self.account).await?;
        drop(tx);
        // A fault is what a failed account keeps until its cloud answers again.
        if row.fault.is_some() {
            return Ok(Vec::new());
        }
        let places = ensure::Entity::find().filter(ensure::Column::AccountId.eq(self.account));
        let places = cx.store().all(places).await?;
        let places = places.into_iter().map(|row| (row.network_id, row.host()));
        Ok(places.collect())
    }

    /// Looking changes nothing.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// Close the connection this process keeps.
#[derive(Serialize, Deserialize)]
pub struct Disconnect {
    account: AccountId,
}

impl Step for Disconnect {
    type Output = ();
    const NAME: &'static str = "disconnect";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        cx.get::<State>().clouds.forget(self.account).await;
        Ok(())
    }

    /// It is made again when needed.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
