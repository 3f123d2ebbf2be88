//! Taking a snapshot. Disk and server are held meanwhile, so that neither changes under it.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{
    Row, Tx,
    sea_orm::{ActiveValue::Set, sea_query::Expr},
};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{
    AccountId, DiskId, ExternalRef, Kind, Result, SnapshotId, Timestamp,
    api::{check_name, snapshot as api},
    states,
};
use web::Made;

use super::{ActiveModel, Column, Entity, able, hold, rest, target};
use crate::{
    State,
    clouds::{StepClouds, family, settled},
    disk,
    flavor::taken,
    swap::{current, set},
};

/// A create with what it refers to.
pub struct Ready {
    name: String,
    disk: DiskId,
    /// Whether the cloud can do it while the server runs.
    live: Live,
}

enum Live {
    Yes,
    No,
}

pub async fn fetch(state: &State, cx: &Cx, input: api::Create) -> Result<Ready> {
    check_name(Entity::NOUN, &input.name)?;
    let disk = state.store.find::<disk::Entity>(cx, "snapshot", &input.disk).await?;
    let live = match able(state, cx, &disk).await?.running {
        true => Live::Yes,
        false => Live::No,
    };
    Ok(Ready {
        name: input.name,
        disk: disk.id,
        live,
    })
}

pub async fn begin(cx: &Cx, tx: &mut Tx, ready: Ready) -> Result<Made<Entity>> {
    let disk = current::<disk::Entity>(tx, ready.disk).await?;
    let (account, volume) = disk.volume()?;
    tx.charge(&disk.project_id, &[("snapshots", 1)]).await?;
    let row = row(&disk, &ready.name);
    let row = tx.insert(row).await.map_err(|e| taken(e, Entity::NOUN, &ready.name))?;
    let snapshot = row.id;
    let workflow = CreateSnapshot {
        snapshot,
        account,
        volume,
    };
    let task = task::start(cx, tx, &workflow, target(&row)).await?;
    let held = hold(tx, task, disk.id).await?;
    held.idle(disk.version)?;
    if let Live::No = ready.live {
        held.at_rest("taking a snapshot of")?;
    }
    Ok(Made::by(task, row))
}

fn row(disk: &disk::Model, name: &str) -> ActiveModel {
    let now = Timestamp::now();
    ActiveModel {
        id: Set(SnapshotId::new()),
        name: Set(name.to_owned()),
        project_id: Set(disk.project_id.clone()),
        domain_id: Set(disk.domain_id.clone()),
        state: Set(states::Snapshot::Creating),
        fault: Set(None),
        disk_id: Set(disk.id),
        size: Set(disk.size),
        external_id: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    }
}

#[derive(Serialize, Deserialize)]
pub struct CreateSnapshot {
    snapshot: SnapshotId,
    account: AccountId,
    volume: ExternalRef,
}

impl Workflow for CreateSnapshot {
    const NAME: &'static str = "snapshot-create";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let (snapshot, account, volume) = (self.snapshot, self.account, self.volume.clone());
        cx.step(TakeSnapshot {
            snapshot,
            account,
            volume,
        })
        .await
        .map(drop)
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let (next, fault) = match outcome.error() {
            None => (states::Snapshot::Available, None),
            Some(error) => (states::Snapshot::Failed, Some(error.chain())),
        };
        rest(cx, tx, self.snapshot, next, fault).await.map(drop)
    }

    fn steps() -> Vec<StepKind> {
        task::steps![TakeSnapshot]
    }
}

/// Make the snapshot on the volume's cloud.
#[derive(Serialize, Deserialize)]
pub struct TakeSnapshot {
    snapshot: SnapshotId,
    account: AccountId,
    volume: ExternalRef,
}

impl Step for TakeSnapshot {
    type Output = ExternalRef;
    const NAME: &'static str = "take-snapshot";

    async fn run(&self, cx: &StepCx) -> Result<ExternalRef> {
        let cloud = cx.cloud(self.account).await?;
        let snapshots = family(cloud.snapshots(), "snapshots")?;
        let token = contract::Token::new(cx.token());
        let name = self.snapshot.to_string();
        let made = settled(cx, snapshots.create(&cx.call(), &self.volume, &name, &token).await?)?;
        let tx = cx.tx().await?;
        set::<Entity>(&tx, self.snapshot, |u| {
            u.col_expr(Column::ExternalId, Expr::value(made.clone()))
        })
        .await?;
        cx.commit(tx, &made).await?;
        Ok(made)
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let snapshots = family(cloud.snapshots(), "snapshots")?;
        let there = match snapshots.list(&cx.call(), &self.volume).await {
            Err(error) if error.kind == Kind::NotFound => Vec::new(),
            other => other?,
        };
        let ours = |token: &contract::Token| token.as_str() == cx.token();
        if let Some(made) = there.into_iter().find(|facts| facts.token.as_ref().is_some_and(ours)) {
            settled(cx, snapshots.delete(&cx.call(), &made.id).await?)?;
        }
        let tx = cx.tx().await?;
        set::<Entity>(&tx, self.snapshot, |u| {
            u.col_expr(Column::ExternalId, Expr::value(None::<String>))
        })
        .await?;
        cx.commit(tx, &()).await
    }
}
