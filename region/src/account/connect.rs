//! Connecting an account for the first time: check the credential, learn what it may do, look at its hosts.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{Tx, sea_orm::sea_query::Expr};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, Json, Result, Timestamp, states};

use super::{Column, Entity};
use crate::{
    State,
    clouds::StepClouds,
    host::facts,
    swap::{current, set},
};

#[derive(Serialize, Deserialize)]
pub struct Connect {
    pub account: AccountId,
}

impl Workflow for Connect {
    const NAME: &'static str = "cloud-account-connect";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.step(Probe { account: self.account }).await?;
        cx.step(Look { account: self.account }).await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        settle(cx, tx, self.account, outcome).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Probe, Look]
    }
}

/// Where an account comes to rest after any of its tasks.
pub async fn settle(cx: &Cx, tx: &mut Tx, account: AccountId, outcome: &Outcome) -> Result<()> {
    let (next, fault) = match outcome.error() {
        None => (states::Account::Connected, None),
        Some(error) => (states::Account::Failed, Some(error.chain())),
    };
    let seen = outcome.error().is_none().then(Timestamp::now);
    let row = set::<Entity>(tx, account, |mut update| {
        update = update
            .col_expr(Column::State, Expr::value(next))
            .col_expr(Column::Fault, Expr::value(fault));
        match seen {
            Some(now) => update.col_expr(Column::SyncedAt, Expr::value(now)),
            None => update,
        }
    })
    .await?;
    web::noun::announce::<Entity>(cx, tx, &row, next.as_str()).await
}

/// Connect and write down what the credential may do.
#[derive(Serialize, Deserialize)]
pub struct Probe {
    account: AccountId,
}

impl Step for Probe {
    type Output = ();
    const NAME: &'static str = "probe";

    fn limit(&self) -> std::time::Duration {
        std::time::Duration::from_secs(60)
    }

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let capabilities = web::noun::json(cloud.capabilities())?;
        let tx = cx.tx().await?;
        set::<Entity>(&tx, self.account, |u| {
            u.col_expr(Column::Capabilities, Expr::value(Json(capabilities)))
        })
        .await?;
        cx.commit(tx, &()).await
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        cx.get::<State>().clouds.forget(self.account).await;
        Ok(())
    }
}

/// Store the hosts and storages it has now.
#[derive(Serialize, Deserialize)]
pub struct Look {
    pub account: AccountId,
}

impl Step for Look {
    type Output = ();
    const NAME: &'static str = "look-at-hosts";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let tx = cx.tx().await?;
        let account = current::<Entity>(&tx, self.account).await?;
        drop(tx);
        facts::observe(cx.get::<State>(), cx.cx(), &account).await
    }

    /// What was seen stays seen.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
