//! Growing a disk: more of the claim first, then the volume. A volume that has grown stays grown, whatever follows.

use auth::Cx;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    Found, Row, Tx,
    sea_orm::{EntityTrait, sea_query::Expr},
};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{AccountId, DiskId, Error, ExternalRef, Kind, Result, Size, api::disk as api, states};
use web::Made;

use super::{Column, Entity, Model, capabilities, hold_server, rest, target};
use crate::{
    State,
    clouds::{StepClouds, family, settled},
    swap::{current, set, swap},
};

pub async fn resize(state: State, cx: Cx, found: Found<Entity>, input: api::Resize) -> Result<(Tx, Made<Entity>)> {
    let row = found.into_inner();
    let (account, volume) = row.volume()?;
    check(&row, input.size)?;
    let able = capabilities(&state, &cx, account).await?;
    if row.server_id.is_some() && !able.disks.is_some_and(|disks| disks.resize_attached) {
        let message = format!(
            "this cloud cannot resize disk `{}` while it is attached: detach it first",
            row.name
        );
        return Err(Error::unsupported(message).on(Entity::NOUN, row.id));
    }
    let mut tx = state.store.begin().await?;
    let workflow = ResizeDisk {
        disk: row.id,
        consumer: row.consumer(),
        account,
        volume,
        from: row.size,
        to: input.size,
    };
    let task = task::start(&cx, &mut tx, &workflow, target(&row)).await?;
    hold_server(&tx, task, &row).await?;
    tx.charge(&row.project_id, &[("disk_gib", workflow.difference())])
        .await?;
    let next = row.begin(states::Disk::Resizing)?;
    let row = swap::<Entity>(&tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok((tx, Made::by(task, row)))
}

fn check(row: &Model, size: Size) -> Result<()> {
    if size > Size::gib(64 << 10) {
        let message = format!("disk `{}`: {size} are not possible; use up to 64T", row.name);
        return Err(Error::invalid(message).code("bad_size"));
    }
    if size <= row.size {
        let message = format!(
            "disk `{}` has {}: it can only grow, and {size} is not more",
            row.name, row.size
        );
        return Err(Error::invalid(message).code("disk_shrink").on(Entity::NOUN, row.id));
    }
    Ok(())
}

#[derive(Serialize, Deserialize)]
pub struct ResizeDisk {
    disk: DiskId,
    consumer: String,
    account: AccountId,
    volume: ExternalRef,
    from: Size,
    to: Size,
}

impl ResizeDisk {
    /// What the quota counts.
    fn difference(&self) -> i64 {
        self.to.gib_up() - self.from.gib_up()
    }
}

impl Workflow for ResizeDisk {
    const NAME: &'static str = "disk-resize";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let (disk, consumer) = (self.disk, self.consumer.clone());
        cx.step(GrowClaim {
            disk,
            consumer,
            from: self.from,
            to: self.to,
        })
        .await?;
        cx.step(GrowVolume {
            disk,
            account: self.account,
            volume: self.volume.clone(),
            to: self.to,
        })
        .await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let row = current::<Entity>(tx, self.disk).await?;
        if row.size != self.to {
            tx.refund(&row.project_id, &[("disk_gib", self.difference())]).await?;
        }
        rest(cx, tx, self.disk, row.rest(), outcome.error().map(Error::chain))
            .await
            .map(drop)
    }

    fn steps() -> Vec<StepKind> {
        task::steps![GrowClaim, GrowVolume]
    }
}

/// Take more room on the storage where the disk is.
#[derive(Serialize, Deserialize)]
pub struct GrowClaim {
    disk: DiskId,
    consumer: String,
    from: Size,
    to: Size,
}

impl Step for GrowClaim {
    type Output = ();
    const NAME: &'static str = "grow-claim";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        self.claim(cx, cx.token().to_owned(), self.to).await
    }

    /// Gives the room back, unless the volume has grown into it.
    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let row = cx.store().one(Entity::find_by_id(self.disk)).await?;
        if row.is_none_or(|row| row.size == self.to) {
            return Ok(());
        }
        match self.claim(cx, format!("{}-undo", cx.token()), self.from).await {
            Err(error) if error.kind == Kind::NotFound => Ok(()),
            other => other,
        }
    }
}

impl GrowClaim {
    async fn claim(&self, cx: &StepCx, token: String, disk: Size) -> Result<()> {
        let body = json!({ "consumer": self.consumer, "token": token, "disk": disk });
        let scheduler = &cx.get::<State>().scheduler;
        scheduler
            .post::<Value>(cx.cx().request_id(), "/claims/resize", &body)
            .await
            .map(drop)
    }
}

/// Grow the volume on its cloud, and write down its new size.
#[derive(Serialize, Deserialize)]
pub struct GrowVolume {
    pub disk: DiskId,
    pub account: AccountId,
    pub volume: ExternalRef,
    pub to: Size,
}

impl Step for GrowVolume {
    type Output = ();
    const NAME: &'static str = "grow-volume";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        settled(
            cx,
            family(cloud.disks(), "disks")?
                .resize(&cx.call(), &self.volume, self.to)
                .await?,
        )?;
        self.write(cx).await
    }

    /// No cloud shrinks a volume: one that has grown is written down as it is, so that claim and quota follow it.
    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        match family(cloud.disks(), "disks")?.get(&cx.call(), &self.volume).await {
            Ok(volume) if volume.size >= self.to => self.write(cx).await,
            Err(error) if error.kind != Kind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl GrowVolume {
    async fn write(&self, cx: &StepCx) -> Result<()> {
        let tx = cx.tx().await?;
        set::<Entity>(&tx, self.disk, |u| u.col_expr(Column::Size, Expr::value(self.to))).await?;
        cx.commit(tx, &()).await
    }
}
