//! Forgetting an account. Only one without servers and disks of ours is forgotten; the cloud itself is not touched.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{
    Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Outcome, Started, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, Error, Result, states};
use web::Made;

use super::{Column, Entity, Model, target};
use crate::{
    State, disk, host, server, storage,
    swap::{set, swap},
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
        cx.step(Disconnect { account: self.account }).await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let next = match outcome.error() {
            Some(_) => states::Account::Failed,
            None => {
                tx.delete(storage::Entity::delete_many().filter(storage::Column::AccountId.eq(self.account)))
                    .await?;
                tx.delete(host::Entity::delete_many().filter(host::Column::AccountId.eq(self.account)))
                    .await?;
                tx.wake(host::INVENTORY);
                states::Account::Deleted
            }
        };
        let fault = outcome.error().map(Error::chain);
        let row = set::<Entity>(tx, self.account, |u| {
            u.col_expr(Column::State, Expr::value(next))
                .col_expr(Column::Fault, Expr::value(fault))
        })
        .await?;
        web::noun::announce::<Entity>(cx, tx, &row, next.as_str()).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Disconnect]
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
