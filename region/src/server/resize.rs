//! Giving a stopped server another flavor: its vcpus and memory. Its disks stay as they are, whatever the flavor has.

use auth::Cx;
use contract::compute::Shape;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Found, Tx, sea_orm::sea_query::Expr};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, ExternalRef, FlavorId, Kind, Result, ServerId, api::server as api, states::Server};
use web::Made;

use super::{Column, Entity, Model, settle::settle, target};
use crate::{
    State,
    clouds::{StepClouds, family, settled},
    flavor,
    swap::{current, set, swap},
};

pub async fn resize(state: State, cx: Cx, found: Found<Entity>, input: api::Resize) -> Result<(Tx, Made<Entity>)> {
    let flavor = state
        .store
        .find::<flavor::Entity>(&cx, "get", &input.flavor)
        .await?
        .into_inner();
    let row = found.into_inner();
    let (account, machine) = row.machine()?;
    let mut tx = state.store.begin().await?;
    if row.flavor_id == flavor.id && row.state == Server::Stopped {
        return Ok((tx, Made::now(row)));
    }
    let (from, to) = (
        shape(&row),
        Shape {
            vcpus: narrow(flavor.vcpus),
            memory: flavor.memory,
        },
    );
    let (flavor, name) = (flavor.id, flavor.name);
    let workflow = ResizeServer {
        server: row.id,
        account,
        machine,
        from,
        to,
        flavor,
        name,
    };
    let task = task::start(&cx, &mut tx, &workflow, target(&row)).await?;
    let next = row.begin(Server::Resizing)?;
    tx.charge(&row.project_id, &more(from, to)).await?;
    let row = swap::<Entity>(&tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok((tx, Made::by(task, row)))
}

fn shape(row: &Model) -> Shape {
    Shape {
        vcpus: narrow(row.vcpus),
        memory: row.memory,
    }
}

fn narrow(vcpus: i64) -> u32 {
    u32::try_from(vcpus).unwrap_or(u32::MAX)
}

/// What the quota counts of growing from one shape to another; where it shrinks, nothing.
fn more(from: Shape, to: Shape) -> [(&'static str, i64); 2] {
    let mib = |shape: Shape| i64::try_from(shape.memory.as_mib()).unwrap_or(i64::MAX);
    let vcpus = i64::from(to.vcpus) - i64::from(from.vcpus);
    [("vcpus", vcpus.max(0)), ("memory_mib", (mib(to) - mib(from)).max(0))]
}

/// The larger of each.
fn both(from: Shape, to: Shape) -> Shape {
    Shape {
        vcpus: from.vcpus.max(to.vcpus),
        memory: from.memory.max(to.memory),
    }
}

#[derive(Serialize, Deserialize)]
pub struct ResizeServer {
    server: ServerId,
    account: AccountId,
    machine: ExternalRef,
    from: Shape,
    to: Shape,
    flavor: FlavorId,
    name: String,
}

impl Workflow for ResizeServer {
    const NAME: &'static str = "server-resize";

    /// What grows is claimed before the machine grows; what shrinks is given back after the machine has shrunk.
    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let (server, from, to) = (self.server, self.from, self.to);
        let most = both(from, to);
        if most != from {
            cx.step(ResizeClaim { server, from, to: most }).await?;
        }
        cx.step(ReshapeMachine {
            account: self.account,
            machine: self.machine.clone(),
            from,
            to,
        })
        .await?;
        if most != to {
            cx.step(ResizeClaim { server, from: most, to }).await?;
        }
        Ok(())
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let row = current::<Entity>(tx, self.server).await?;
        if outcome.error().is_some() {
            tx.refund(&row.project_id, &more(self.from, self.to)).await?;
            return settle(cx, tx, self.server, outcome, Server::Stopped).await;
        }
        tx.refund(&row.project_id, &more(self.to, self.from)).await?;
        set::<Entity>(tx, self.server, |u| {
            u.col_expr(Column::FlavorId, Expr::value(self.flavor))
                .col_expr(Column::FlavorName, Expr::value(self.name.as_str()))
                .col_expr(Column::Vcpus, Expr::value(i64::from(self.to.vcpus)))
                .col_expr(Column::Memory, Expr::value(self.to.memory))
        })
        .await?;
        settle(cx, tx, self.server, outcome, Server::Stopped).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![ResizeClaim, ReshapeMachine]
    }
}

/// Hold more or less of the host where the server is.
#[derive(Serialize, Deserialize)]
pub struct ResizeClaim {
    server: ServerId,
    from: Shape,
    to: Shape,
}

impl Step for ResizeClaim {
    type Output = ();
    const NAME: &'static str = "resize-claim";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        self.claim(cx, cx.token().to_owned(), self.to).await
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        gone_is_fine(self.claim(cx, format!("{}-undo", cx.token()), self.from).await)
    }
}

impl ResizeClaim {
    async fn claim(&self, cx: &StepCx, token: String, shape: Shape) -> Result<()> {
        let consumer = format!("server/{}", self.server);
        let body = json!({ "consumer": consumer, "token": token, "vcpus": shape.vcpus, "memory": shape.memory });
        let scheduler = &cx.get::<State>().scheduler;
        scheduler
            .post::<Value>(cx.cx().request_id(), "/claims/resize", &body)
            .await
            .map(drop)
    }
}

/// Give the machine its new vcpus and memory.
#[derive(Serialize, Deserialize)]
pub struct ReshapeMachine {
    account: AccountId,
    machine: ExternalRef,
    from: Shape,
    to: Shape,
}

impl Step for ReshapeMachine {
    type Output = ();
    const NAME: &'static str = "reshape-machine";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        self.reshape(cx, self.to).await
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        gone_is_fine(self.reshape(cx, self.from).await)
    }
}

impl ReshapeMachine {
    async fn reshape(&self, cx: &StepCx, shape: Shape) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        settled(
            cx,
            family(cloud.compute(), "servers")?
                .resize(&cx.call(), &self.machine, shape)
                .await?,
        )
    }
}

/// Without the claim or the machine there is nothing to undo.
fn gone_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind == Kind::NotFound => Ok(()),
        other => other,
    }
}
