//! Putting a disk back to what it was. Its server, if it has one, must be off and is `reverting` meanwhile.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{Found, Tx, sea_orm::sea_query::Expr};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, DiskId, Error, ExternalRef, Result, ServerId, Size, SnapshotId, states};
use web::{Made, docs::Nothing};

use super::{Column, Entity, Model, able, hold, rest, target};
use crate::{
    State,
    clouds::{StepClouds, family},
    disk::{
        self,
        operation::{AwaitOperation, Handle, handle},
        resize::GrowVolume,
    },
    server::{self, settle},
    swap::{current, swap},
};

pub async fn revert(state: State, cx: Cx, found: Found<Entity>, _: Nothing) -> Result<(Tx, Made<Entity>)> {
    let row = found.into_inner();
    let next = row.begin(states::Snapshot::Reverting)?;
    let disk = disk(&state, &cx, &row).await?;
    let workflow = plan(&row, &disk)?;
    let mut tx = state.store.begin().await?;
    let task = task::start(&cx, &mut tx, &workflow, target(&row)).await?;
    let held = hold(&tx, task, disk.id).await?;
    held.idle(disk.version)?;
    held.at_rest("reverting")?;
    if let Some(server) = held.server {
        occupy(&cx, &mut tx, server).await?;
    }
    let row = swap::<Entity>(&tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok((tx, Made::by(task, row)))
}

/// The snapshot's disk, if its cloud can do it.
async fn disk(state: &State, cx: &Cx, row: &Model) -> Result<disk::Model> {
    let id = row.disk_id.to_string();
    let disk = state.store.find::<disk::Entity>(cx, "update", &id).await?.into_inner();
    match able(state, cx, &disk).await?.revert {
        true => Ok(disk),
        false => Err(Error::unsupported(format!(
            "the cloud of disk `{}` cannot revert to a snapshot",
            disk.name
        ))),
    }
}

fn plan(row: &Model, disk: &disk::Model) -> Result<RevertSnapshot> {
    let (account, volume) = disk.volume()?;
    let snapshot = row.external_id.clone().ok_or_else(|| {
        Error::conflict(format!("snapshot `{}` was never made on any cloud", row.name)).code("wrong_state")
    })?;
    Ok(RevertSnapshot {
        id: row.id,
        disk: disk.id,
        server: disk.server_id,
        account,
        snapshot,
        volume,
        grow: (row.size != disk.size).then_some(disk.size),
    })
}

async fn occupy(cx: &Cx, tx: &mut Tx, server: server::Model) -> Result<()> {
    let next = server.begin(states::Server::Reverting)?;
    let row = swap::<server::Entity>(tx, server.id, server.version, |u| {
        u.col_expr(server::Column::State, Expr::value(next))
    })
    .await?;
    web::noun::announce::<server::Entity>(cx, tx, &row, next.as_str()).await
}

#[derive(Serialize, Deserialize)]
pub struct RevertSnapshot {
    id: SnapshotId,
    disk: DiskId,
    server: Option<ServerId>,
    account: AccountId,
    snapshot: ExternalRef,
    volume: ExternalRef,
    /// The disk has grown since, and stays as large as it is.
    grow: Option<Size>,
}

impl Workflow for RevertSnapshot {
    const NAME: &'static str = "snapshot-revert";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let account = self.account;
        if let Some(operation) = cx
            .step(RevertVolume {
                account,
                snapshot: self.snapshot.clone(),
            })
            .await?
        {
            cx.step(AwaitOperation { account, operation }).await?;
        }
        match self.grow {
            Some(to) => {
                cx.step(GrowVolume {
                    disk: self.disk,
                    account,
                    volume: self.volume.clone(),
                    to,
                })
                .await
            }
            None => Ok(()),
        }
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        if let Some(id) = self.server {
            let fault = current::<server::Entity>(tx, id).await?.fault;
            settle::rest(cx, tx, id, states::Server::Stopped, fault).await?;
        }
        // The snapshot itself is as good as before.
        let fault = outcome.error().map(Error::chain);
        rest(cx, tx, self.id, states::Snapshot::Available, fault)
            .await
            .map(drop)
    }

    fn steps() -> Vec<StepKind> {
        task::steps![RevertVolume, AwaitOperation, GrowVolume]
    }
}

/// Put the content of the snapshot in place of the volume's.
#[derive(Serialize, Deserialize)]
pub struct RevertVolume {
    account: AccountId,
    snapshot: ExternalRef,
}

impl Step for RevertVolume {
    type Output = Handle;
    const NAME: &'static str = "revert-volume";

    /// Doing it twice comes to the same, since nothing writes to the volume meanwhile.
    async fn run(&self, cx: &StepCx) -> Result<Handle> {
        let cloud = cx.cloud(self.account).await?;
        family(cloud.snapshots(), "snapshots")?
            .revert(&cx.call(), &self.snapshot)
            .await
            .map(handle)
    }

    /// What was on the volume is overwritten: nothing can bring it back, and the snapshot's fault says what happened.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
