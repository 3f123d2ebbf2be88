//! Start, stop and reboot.

use auth::Cx;
use contract::compute::Stop;
use serde::{Deserialize, Serialize};
use store::{Found, Tx, sea_orm::sea_query::Expr};
use task::{Outcome, Started, StepKind, TaskCx, Workflow};
use types::{
    AccountId, Error, ExternalRef, Result, ServerId,
    api::server as api,
    states::{Power, Server},
};
use web::{Made, docs::Nothing};

use super::{Column, Entity, settle::settle, steps::*, target};
use crate::{State, disk::operation::AwaitOperation, swap::swap};

/// How long a guest may take to shut down when the caller does not say.
const PATIENCE: u32 = 60;

pub async fn start(state: State, cx: Cx, found: Found<Entity>, _: Nothing) -> Result<(Tx, Made<Entity>)> {
    if found.state == Server::Running {
        return Ok((state.store.begin().await?, Made::now(found.into_inner())));
    }
    begin(state, cx, found, Server::Starting, |server, account, machine| Switch {
        server,
        account,
        machine,
        change: Change::On,
    })
    .await
}

pub async fn stop(state: State, cx: Cx, found: Found<Entity>, input: api::Stop) -> Result<(Tx, Made<Entity>)> {
    let patience = input.timeout_seconds.unwrap_or(PATIENCE);
    if patience > 3600 {
        return Err(Error::invalid(format!(
            "timeout_seconds is {patience}; it is at most 3600"
        )));
    }
    if found.state == Server::Stopped {
        return Ok((state.store.begin().await?, Made::now(found.into_inner())));
    }
    let patience = if input.force { 0 } else { patience };
    begin(state, cx, found, Server::Stopping, |server, account, machine| Switch {
        server,
        account,
        machine,
        change: Change::Off { patience },
    })
    .await
}

pub async fn reboot(state: State, cx: Cx, found: Found<Entity>, input: api::Stop) -> Result<(Tx, Made<Entity>)> {
    let how = if input.force { Stop::Hard } else { Stop::Soft };
    begin(state, cx, found, Server::Rebooting, |server, account, machine| Switch {
        server,
        account,
        machine,
        change: Change::Again { how },
    })
    .await
}

async fn begin(
    state: State,
    cx: Cx,
    found: Found<Entity>,
    next: Server,
    workflow: impl FnOnce(ServerId, AccountId, ExternalRef) -> Switch,
) -> Result<(Tx, Made<Entity>)> {
    let row = found.into_inner();
    let mut tx = state.store.begin().await?;
    let (account, machine) = row.machine()?;
    let task = match task::join_or_start(&cx, &mut tx, &workflow(row.id, account, machine), target(&row)).await? {
        Started::New(task) => task,
        Started::Joined(task) => return Ok((tx, Made::joined(task, row))),
    };
    let next = row.begin(next)?;
    let row = swap::<Entity>(&tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok((tx, Made::by(task, row)))
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Change {
    On,
    Off { patience: u32 },
    Again { how: Stop },
}

/// One change of power.
#[derive(Serialize, Deserialize)]
pub struct Switch {
    server: ServerId,
    account: AccountId,
    machine: ExternalRef,
    change: Change,
}

impl Workflow for Switch {
    const NAME: &'static str = "server-power";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let (account, machine) = (self.account, self.machine.clone());
        match self.change {
            Change::On => power_up(cx, account, machine).await,
            Change::Off { patience } => {
                cx.step(PowerOff {
                    account,
                    machine: machine.clone(),
                    patience_seconds: patience,
                })
                .await?;
                cx.step(AwaitPower {
                    account,
                    machine,
                    power: Power::Off,
                })
                .await
            }
            Change::Again { how } => {
                let operation = cx
                    .step(Restart {
                        account,
                        machine: machine.clone(),
                        how,
                    })
                    .await?;
                if let Some(operation) = operation {
                    cx.step(AwaitOperation { account, operation }).await?;
                }
                cx.step(AwaitPower {
                    account,
                    machine,
                    power: Power::On,
                })
                .await
            }
        }
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let good = match self.change {
            Change::Off { .. } => Server::Stopped,
            _ => Server::Running,
        };
        settle(cx, tx, self.server, outcome, good).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![PowerOn, PowerOff, Restart, AwaitOperation, AwaitPower]
    }
}
