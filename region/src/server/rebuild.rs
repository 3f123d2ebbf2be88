//! Making a server anew from an image: it keeps its machine, addresses and data disks; its root disk starts over.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{
    Found, Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{
    AccountId, Error, ExternalRef, ImageId, Result, ServerId,
    api::server as api,
    states,
    states::{Power, Server},
};
use web::Made;

use super::{
    Column, Entity, Model,
    settle::settle,
    steps::{AwaitPower, PowerOff, PowerOn, StageImage, power_up},
    target,
};
use crate::{
    State,
    clouds::{StepClouds, family},
    disk::{
        self,
        operation::{AwaitOperation, Handle, handle},
    },
    host,
    images::{self, Image},
    snapshot,
    swap::{set, swap},
};

/// How long the guest may take to shut down: what it would save on its root disk is overwritten anyway.
const PATIENCE: u32 = 30;

pub async fn rebuild(state: State, cx: Cx, found: Found<Entity>, input: api::Rebuild) -> Result<(Tx, Made<Entity>)> {
    let row = found.into_inner();
    let (account, machine) = row.machine()?;
    let image = input.image.unwrap_or_else(|| row.image_id.to_string());
    let image = images::find(&state, &cx, &image).await?;
    let root = root(&state, &row).await?;
    fits(&row, &root, &image)?;
    let (_, volume) = root.volume()?;
    let host = host(&state, &row).await?;
    let mut tx = state.store.begin().await?;
    let workflow = RebuildServer {
        server: row.id,
        account,
        machine,
        host,
        volume,
        image,
        runs: runs(&row),
    };
    let task = task::start(&cx, &mut tx, &workflow, target(&row)).await?;
    // Whoever works on the root disk holds the server too: the snapshots cannot change from here on.
    if let Some(snapshot) = snapshot::any_of(&tx, root.id).await? {
        let message = format!(
            "the root disk of server `{}` has snapshot `{}`: delete it first",
            row.name, snapshot.name
        );
        return Err(Error::conflict(message).code("in_use").on("snapshot", snapshot.id));
    }
    let next = row.begin(Server::Rebuilding)?;
    let row = swap::<Entity>(&tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok((tx, Made::by(task, row)))
}

fn runs(row: &Model) -> bool {
    row.state == Server::Running || matches!(row.power_state, Power::On | Power::Paused)
}

async fn root(state: &State, row: &Model) -> Result<disk::Model> {
    let root = disk::Entity::find()
        .filter(disk::Column::ServerId.eq(row.id))
        .filter(disk::Column::Root.eq(true))
        .filter(disk::Column::State.ne(states::Disk::Deleted));
    let root = state.store.one(root).await?;
    root.ok_or_else(|| Error::conflict(format!("server `{}` has no root disk", row.name)).code("wrong_state"))
}

async fn host(state: &State, row: &Model) -> Result<ExternalRef> {
    let host = match row.host_id {
        Some(id) => state.store.one(host::Entity::find_by_id(id)).await?,
        None => None,
    };
    let host =
        host.ok_or_else(|| Error::conflict(format!("server `{}` is on no host", row.name)).code("wrong_state"))?;
    Ok(host.external_id)
}

/// Errors: `Invalid` when the server as it is has too little for the image.
fn fits(row: &Model, root: &disk::Model, image: &Image) -> Result<()> {
    let (server, name) = (&row.name, &image.name);
    if image.virtual_size > root.size {
        let (needs, has) = (image.virtual_size, root.size);
        let message = format!("image `{name}` needs a disk of {needs}; that of server `{server}` has {has}");
        return Err(Error::invalid(message).code("disk_too_small"));
    }
    if image.min_memory > row.memory {
        let (needs, has) = (image.min_memory, row.memory);
        let message = format!("image `{name}` needs {needs} of memory; server `{server}` has {has}");
        return Err(Error::invalid(message).code("memory_too_small"));
    }
    Ok(())
}

#[derive(Serialize, Deserialize)]
pub struct RebuildServer {
    server: ServerId,
    account: AccountId,
    machine: ExternalRef,
    host: ExternalRef,
    volume: ExternalRef,
    image: Image,
    /// It did when it was asked for, and shall afterwards.
    runs: bool,
}

impl Workflow for RebuildServer {
    const NAME: &'static str = "server-rebuild";

    /// The image comes first, so that a server whose image cannot be had goes on running.
    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let (account, machine, volume) = (self.account, self.machine.clone(), self.volume.clone());
        let (host, image, patience_seconds) = (self.host.clone(), self.image.clone(), PATIENCE);
        let record = self.record()?;
        let image = cx.step(StageImage { account, host, image }).await?;
        if self.runs {
            let off = PowerOff {
                account,
                machine: machine.clone(),
                patience_seconds,
            };
            cx.step(off).await?;
        }
        let begun = RebuildVolume { account, volume, image };
        if let Some(operation) = cx.step(begun).await? {
            cx.step(AwaitOperation { account, operation }).await?;
        }
        cx.step(record).await?;
        if self.runs {
            power_up(cx, account, machine).await?;
        }
        Ok(())
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let good = if self.runs { Server::Running } else { Server::Stopped };
        settle(cx, tx, self.server, outcome, good).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![
            StageImage,
            PowerOff,
            AwaitPower,
            RebuildVolume,
            AwaitOperation,
            RecordImage,
            PowerOn
        ]
    }
}

impl RebuildServer {
    fn record(&self) -> Result<RecordImage> {
        Ok(RecordImage {
            server: self.server,
            image: self.image.id.parse()?,
            name: self.image.name.clone(),
        })
    }
}

/// Put the content of the image in place of the volume's.
#[derive(Serialize, Deserialize)]
pub struct RebuildVolume {
    account: AccountId,
    volume: ExternalRef,
    image: ExternalRef,
}

impl Step for RebuildVolume {
    type Output = Handle;
    const NAME: &'static str = "rebuild-volume";

    /// Doing it twice comes to the same, since nothing writes to the volume meanwhile.
    async fn run(&self, cx: &StepCx) -> Result<Handle> {
        let cloud = cx.cloud(self.account).await?;
        family(cloud.disks(), "disks")?
            .rebuild(&cx.call(), &self.volume, &self.image)
            .await
            .map(handle)
    }

    /// What was on the volume is overwritten: nothing can bring it back, and the server's fault says what happened.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// Write down what the root disk holds now, also if the server then does not start.
#[derive(Serialize, Deserialize)]
pub struct RecordImage {
    server: ServerId,
    image: ImageId,
    name: String,
}

impl Step for RecordImage {
    type Output = ();
    const NAME: &'static str = "record-image";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let tx = cx.tx().await?;
        set::<Entity>(&tx, self.server, |u| {
            u.col_expr(Column::ImageId, Expr::value(self.image.clone()))
                .col_expr(Column::ImageName, Expr::value(self.name.as_str()))
        })
        .await?;
        cx.commit(tx, &()).await
    }

    /// The disk holds the new image, and the row goes on saying so.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
