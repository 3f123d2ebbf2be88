//! Attaching a disk to a server on the same host, and detaching it. The server is held too: it is `updating` meanwhile.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{
    Found, Row, Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, DiskId, Error, ExternalRef, Kind, Result, ServerId, TaskId, api::disk as api, states};
use web::{Made, docs::Nothing};

use super::{Column, Entity, Model, capabilities, rest, target};
use crate::{
    State,
    clouds::{StepClouds, family, settled},
    host,
    server::{self, settle},
    swap::{current, set, swap},
};

pub async fn attach(state: State, cx: Cx, found: Found<Entity>, input: api::Attach) -> Result<(Tx, Made<Entity>)> {
    found.begin(states::Disk::Attaching)?;
    let server = state
        .store
        .find::<server::Entity>(&cx, "attach", &input.server)
        .await?
        .into_inner();
    together(&state, &found, &server).await?;
    let wire = wire(&state, &cx, &found, &server).await?;
    let mut tx = state.store.begin().await?;
    let slot = next_slot(&tx, server.id).await?;
    let workflow = AttachDisk { wire, slot };
    let task = task::start(&cx, &mut tx, &workflow, target(&found)).await?;
    hold(&cx, &mut tx, task, server).await?;
    let row = step_into(&tx, found.into_inner(), states::Disk::Attaching).await?;
    Ok((tx, Made::by(task, row)))
}

pub async fn detach(state: State, cx: Cx, found: Found<Entity>, _: Nothing) -> Result<(Tx, Made<Entity>)> {
    let Some(server) = found.server_id else {
        let message = format!("disk `{}` is not attached to any server", found.name);
        return Err(Error::conflict(message).code("not_attached").on(Entity::NOUN, found.id));
    };
    let server = state
        .store
        .find::<server::Entity>(&cx, "detach", &server.to_string())
        .await?
        .into_inner();
    if found.root {
        let message = format!(
            "disk `{}` is the root disk of server `{}`: it stays with it",
            found.name, server.name
        );
        return Err(Error::conflict(message).code("root_disk").on(Entity::NOUN, found.id));
    }
    let wire = wire(&state, &cx, &found, &server).await?;
    let mut tx = state.store.begin().await?;
    let task = task::start(&cx, &mut tx, &DetachDisk { wire }, target(&found)).await?;
    hold(&cx, &mut tx, task, server).await?;
    let row = step_into(&tx, found.into_inner(), states::Disk::Detaching).await?;
    Ok((tx, Made::by(task, row)))
}

/// Errors: `Conflict` when they are on two hosts, or belong to two projects.
async fn together(state: &State, disk: &Model, server: &server::Model) -> Result<()> {
    if disk.project_id != server.project_id {
        let message = format!(
            "disk `{}` and server `{}` belong to two projects",
            disk.name, server.name
        );
        return Err(Error::conflict(message).code("other_project").on(Entity::NOUN, disk.id));
    }
    if disk.host_id == server.host_id {
        return Ok(());
    }
    let ids = [disk.host_id, server.host_id];
    let hosts = host::Entity::find().filter(host::Column::Id.is_in(ids.into_iter().flatten()));
    let hosts = state.store.all(hosts).await?;
    let name = |id| {
        hosts
            .iter()
            .find(|row| Some(row.id) == id)
            .map_or("none", |row| row.name.as_str())
    };
    let (here, there) = (name(disk.host_id), name(server.host_id));
    let message = format!(
        "disk `{}` is on host `{here}` and server `{}` on host `{there}`: make the disk with `near` the server",
        disk.name, server.name
    );
    Err(Error::conflict(message).code("wrong_host").on(Entity::NOUN, disk.id))
}

/// What the two workflows are about, when the cloud can do it as the server is now.
async fn wire(state: &State, cx: &Cx, disk: &Model, server: &server::Model) -> Result<Wire> {
    let (account, volume) = disk.volume()?;
    let (_, machine) = server.machine()?;
    let able = capabilities(state, cx, account).await?;
    if server.state != states::Server::Stopped && !able.disks.is_some_and(|disks| disks.attach_running) {
        let message = format!(
            "this cloud cannot change the disks of a running server: stop `{}` first",
            server.name
        );
        return Err(Error::unsupported(message).on("server", server.id));
    }
    Ok(Wire {
        disk: disk.id,
        server: server.id,
        was: server.state,
        account,
        machine,
        volume,
    })
}

/// The position after the last. Whoever takes it first changes the server's version, and the others fail.
async fn next_slot(tx: &Tx, server: ServerId) -> Result<i64> {
    let disks = Entity::find()
        .filter(Column::ServerId.eq(server))
        .filter(Column::State.ne(states::Disk::Deleted));
    let disks = tx.all(disks).await?;
    Ok(disks.iter().map(|disk| disk.slot + 1).max().unwrap_or(1))
}

async fn hold(cx: &Cx, tx: &mut Tx, task: TaskId, server: server::Model) -> Result<()> {
    task::hold(tx, task, server::Entity::NOUN, &server.id.to_string(), &server.name).await?;
    let next = server.begin(states::Server::Updating)?;
    let row = swap::<server::Entity>(tx, server.id, server.version, |u| {
        u.col_expr(server::Column::State, Expr::value(next))
    })
    .await?;
    web::noun::announce::<server::Entity>(cx, tx, &row, next.as_str()).await
}

async fn step_into(tx: &Tx, row: Model, next: states::Disk) -> Result<Model> {
    let next = row.begin(next)?;
    swap::<Entity>(tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await
}

/// A disk and a server, and where both are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wire {
    disk: DiskId,
    server: ServerId,
    /// The server goes back to it.
    was: states::Server,
    account: AccountId,
    machine: ExternalRef,
    volume: ExternalRef,
}

impl Wire {
    /// The server goes on as before, whatever became of the disk.
    async fn release(&self, cx: &Cx, tx: &mut Tx) -> Result<()> {
        let fault = current::<server::Entity>(tx, self.server).await?.fault;
        settle::rest(cx, tx, self.server, self.was, fault).await
    }

    async fn plug(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let op = family(cloud.compute(), "servers")?
            .attach(&cx.call(), &self.machine, &self.volume)
            .await?;
        settled(cx, op)
    }

    async fn unplug(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let op = family(cloud.compute(), "servers")?
            .detach(&cx.call(), &self.machine, &self.volume)
            .await?;
        settled(cx, op)
    }
}

#[derive(Serialize, Deserialize)]
pub struct AttachDisk {
    wire: Wire,
    slot: i64,
}

impl Workflow for AttachDisk {
    const NAME: &'static str = "disk-attach";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.step(Attach {
            wire: self.wire.clone(),
        })
        .await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        self.wire.release(cx, tx).await?;
        if let Some(error) = outcome.error() {
            return rest(cx, tx, self.wire.disk, states::Disk::Available, Some(error.chain()))
                .await
                .map(drop);
        }
        set::<Entity>(tx, self.wire.disk, |u| {
            u.col_expr(Column::ServerId, Expr::value(self.wire.server))
                .col_expr(Column::Slot, Expr::value(self.slot))
        })
        .await?;
        rest(cx, tx, self.wire.disk, states::Disk::InUse, None).await.map(drop)
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Attach]
    }
}

#[derive(Serialize, Deserialize)]
pub struct DetachDisk {
    wire: Wire,
}

impl Workflow for DetachDisk {
    const NAME: &'static str = "disk-detach";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.step(Detach {
            wire: self.wire.clone(),
        })
        .await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        self.wire.release(cx, tx).await?;
        if let Some(error) = outcome.error() {
            return rest(cx, tx, self.wire.disk, states::Disk::InUse, Some(error.chain()))
                .await
                .map(drop);
        }
        set::<Entity>(tx, self.wire.disk, |u| {
            u.col_expr(Column::ServerId, Expr::value(None::<String>))
                .col_expr(Column::Slot, Expr::value(0))
        })
        .await?;
        rest(cx, tx, self.wire.disk, states::Disk::Available, None)
            .await
            .map(drop)
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Detach]
    }
}

/// Give the volume to the machine.
#[derive(Serialize, Deserialize)]
pub struct Attach {
    wire: Wire,
}

impl Step for Attach {
    type Output = ();
    const NAME: &'static str = "attach-volume";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        self.wire.plug(cx).await
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        gone_is_fine(self.wire.unplug(cx).await)
    }
}

/// Take the volume from the machine.
#[derive(Serialize, Deserialize)]
pub struct Detach {
    wire: Wire,
}

impl Step for Detach {
    type Output = ();
    const NAME: &'static str = "detach-volume";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        self.wire.unplug(cx).await
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        gone_is_fine(self.wire.plug(cx).await)
    }
}

/// Without the machine or the volume there is nothing to undo.
fn gone_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind == Kind::NotFound => Ok(()),
        other => other,
    }
}
