//! Looking at an account again, on request: capabilities, hosts, storages.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{Found, Tx, sea_orm::sea_query::Expr};
use task::{Outcome, StepKind, TaskCx, Workflow};
use types::{AccountId, Result, states};
use web::{Made, docs::Nothing};

use super::{
    Column, Entity,
    connect::{Look, settle},
    target,
};
use crate::{State, swap::swap};

pub async fn sync(state: State, cx: Cx, found: Found<Entity>, _: Nothing) -> Result<(Tx, Made<Entity>)> {
    let row = found.into_inner();
    let mut tx = state.store.begin().await?;
    let task = task::start(&cx, &mut tx, &Sync { account: row.id }, target(&row)).await?;
    let next = row.state.to(states::Account::Syncing)?;
    let row = swap::<Entity>(&tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok((tx, Made::by(task, row)))
}

#[derive(Serialize, Deserialize)]
pub struct Sync {
    account: AccountId,
}

impl Workflow for Sync {
    const NAME: &'static str = "cloud-account-sync";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.step(Look { account: self.account }).await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        settle(cx, tx, self.account, outcome).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Look]
    }
}
