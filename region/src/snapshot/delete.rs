//! Deleting a snapshot. Its disk, and the server that has it, are held meanwhile.

use std::time::Duration;

use auth::Cx;
use contract::Call;
use serde::{Deserialize, Serialize};
use store::{
    Tx,
    sea_orm::{EntityTrait, sea_query::Expr},
};
use task::{Outcome, Started, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, ExternalRef, Result, SnapshotId, states};
use web::Made;

use super::{Column, Entity, Model, end, hold, rest, target};
use crate::{
    State,
    clouds::{StepClouds, family, settled},
    disk,
    swap::swap,
};

/// What connecting to the cloud may take while the transaction is open.
const PATIENCE: Duration = Duration::from_secs(5);

pub async fn begin(state: &State, cx: &Cx, tx: &mut Tx, row: Model) -> Result<Made<Entity>> {
    let disk = tx.one(disk::Entity::find_by_id(row.disk_id)).await?;
    let place = disk
        .as_ref()
        .and_then(|disk| Some((disk.account_id?, row.external_id.clone()?)));
    let task = match task::join_or_start(
        cx,
        tx,
        &DeleteSnapshot {
            snapshot: row.id,
            place: place.clone(),
        },
        target(&row),
    )
    .await?
    {
        Started::New(task) => task,
        Started::Joined(task) => return Ok(Made::joined(task, row)),
    };
    if let Some(disk) = disk.filter(|disk| disk.external_id.is_some() && disk.state != states::Disk::Deleted) {
        let held = hold(tx, task, disk.id).await?;
        let at_rest = held.at_rest("deleting a snapshot of");
        // Most clouds are connected already; the transaction does not wait long for one that is not.
        if let (Err(error), Some((account, _))) = (at_rest, place) {
            let cloud = state.clouds.of(&Call::new(cx.request_id(), PATIENCE), account).await?;
            if !cloud
                .capabilities()
                .snapshots
                .as_ref()
                .is_some_and(|snapshots| snapshots.running)
            {
                return Err(error);
            }
        }
    }
    let next = row.begin(states::Snapshot::Deleting)?;
    let row = swap::<Entity>(tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok(Made::by(task, row))
}

#[derive(Serialize, Deserialize)]
pub struct DeleteSnapshot {
    snapshot: SnapshotId,
    /// Where it is, if it was ever made.
    place: Option<(AccountId, ExternalRef)>,
}

impl Workflow for DeleteSnapshot {
    const NAME: &'static str = "snapshot-delete";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        match self.place.clone() {
            Some((account, snapshot)) => cx.step(RemoveSnapshot { account, snapshot }).await,
            None => Ok(()),
        }
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        match outcome.error() {
            None => end(cx, tx, self.snapshot).await,
            Some(error) => rest(cx, tx, self.snapshot, states::Snapshot::Failed, Some(error.chain()))
                .await
                .map(drop),
        }
    }

    fn steps() -> Vec<StepKind> {
        task::steps![RemoveSnapshot]
    }
}

/// Remove the snapshot from its cloud.
#[derive(Serialize, Deserialize)]
pub struct RemoveSnapshot {
    account: AccountId,
    snapshot: ExternalRef,
}

impl Step for RemoveSnapshot {
    type Output = ();
    const NAME: &'static str = "remove-snapshot";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        settled(
            cx,
            family(cloud.snapshots(), "snapshots")?
                .delete(&cx.call(), &self.snapshot)
                .await?,
        )
    }

    /// What it kept is gone: nothing can bring it back, and the row says failed.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
