//! Making an empty disk: room for it is claimed first, beside a server or wherever there is some.

use auth::Cx;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    Row, Tx,
    sea_orm::{ActiveValue::Set, EntityTrait, sea_query::Expr},
};
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{
    DiskId, Error, HostId, Json, Result, Size, StorageId, Timestamp,
    api::{check_name, check_tags, disk as api},
    states,
};
use web::Made;

use super::{ActiveModel, Column, Entity, target};
use crate::{
    State, account,
    flavor::taken,
    host,
    server::{
        self,
        steps::{MakeVolume, Placed, ReleaseClaim},
    },
    storage,
    swap::set,
};

/// A create with everything it refers to.
pub struct Ready {
    id: DiskId,
    input: api::Create,
    /// What it asks of the scheduler.
    ask: Value,
}

/// Looks up what the input names, and asks whether there is room, so that what fits nowhere is refused at once.
pub async fn fetch(state: &State, cx: &Cx, input: api::Create) -> Result<Ready> {
    check_name(Entity::NOUN, &input.name)?;
    check_tags(&input.tags)?;
    if input.size < Size::mib(1) || input.size > Size::gib(64 << 10) {
        let message = format!("disk `{}`: {} are not possible; use 1M to 64T", input.name, input.size);
        return Err(Error::invalid(message).code("bad_size"));
    }
    let mut ask = json!({ "vcpus": 0, "memory": 0, "disks": [{ "size": input.size }], "count": 1 });
    if let Some(key) = &input.account {
        ask["account"] = json!(state.store.find::<account::Entity>(cx, "get", key).await?.id);
    }
    if let Some(key) = &input.near {
        let server = state.store.find::<server::Entity>(cx, "get", key).await?;
        let host = server.host_id.ok_or_else(|| {
            let message = format!("server `{}` is on no host: a disk cannot be near it", server.name);
            Error::conflict(message).code("wrong_state").on("server", server.id)
        })?;
        ask["host"] = json!(host);
    }
    let id = DiskId::new();
    let body =
        json!({ "consumers": [{ "consumer": format!("disk/{id}"), "token": id }], "request": ask, "dry_run": true });
    let _: Value = state.scheduler.post(cx.request_id(), "/claims", &body).await?;
    Ok(Ready { id, input, ask })
}

pub async fn begin(cx: &Cx, tx: &mut Tx, ready: Ready) -> Result<Made<Entity>> {
    let (project, domain) = cx.project()?;
    let Ready { id, input, ask } = ready;
    tx.charge(project, &[("disks", 1), ("disk_gib", input.size.gib_up())])
        .await?;
    let now = Timestamp::now();
    let row = ActiveModel {
        id: Set(id),
        name: Set(input.name.clone()),
        project_id: Set(project.clone()),
        domain_id: Set(domain.clone()),
        state: Set(states::Disk::Creating),
        fault: Set(None),
        size: Set(input.size),
        root: Set(false),
        slot: Set(0),
        server_id: Set(None),
        account_id: Set(None),
        host_id: Set(None),
        storage_id: Set(None),
        external_id: Set(None),
        tags: Set(Json(input.tags)),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    };
    let row = tx.insert(row).await.map_err(|e| taken(e, Entity::NOUN, &input.name))?;
    let (disk, size) = (id, row.size);
    let task = task::start(cx, tx, &CreateDisk { disk, size, ask }, target(&row)).await?;
    Ok(Made::by(task, row))
}

#[derive(Serialize, Deserialize)]
pub struct CreateDisk {
    disk: DiskId,
    size: Size,
    ask: Value,
}

impl Workflow for CreateDisk {
    const NAME: &'static str = "disk-create";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let placed = cx
            .step(ClaimStorage {
                disk: self.disk,
                ask: self.ask.clone(),
            })
            .await?;
        let volume = MakeVolume {
            disk: self.disk,
            account: placed.account,
            host: placed.host_ref,
            storage: placed.storage_name,
            // The disk's id, since two projects may use one name.
            name: self.disk.to_string(),
            size: self.size,
            image: None,
        };
        cx.step(volume).await.map(drop)
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let (next, fault) = match outcome.error() {
            None => (states::Disk::Available, None),
            Some(error) => (states::Disk::Failed, Some(error.chain())),
        };
        super::rest(cx, tx, self.disk, next, fault).await.map(drop)
    }

    fn steps() -> Vec<StepKind> {
        task::steps![ClaimStorage, MakeVolume]
    }
}

/// Ask the scheduler for a storage with room, and take the room.
#[derive(Serialize, Deserialize)]
pub struct ClaimStorage {
    pub disk: DiskId,
    pub ask: Value,
}

/// What of the scheduler's answer is used here.
#[derive(Deserialize)]
struct Claims {
    placements: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    host: HostId,
    storages: Vec<Pool>,
}

#[derive(Deserialize)]
struct Pool {
    storage: StorageId,
}

impl Step for ClaimStorage {
    type Output = Placed;
    const NAME: &'static str = "claim-storage";

    async fn run(&self, cx: &StepCx) -> Result<Placed> {
        let consumers = json!([{ "consumer": self.consumer(), "token": cx.token() }]);
        let body = json!({ "consumers": consumers, "request": self.ask, "dry_run": false });
        let claims: Claims = cx
            .get::<State>()
            .scheduler
            .post(cx.cx().request_id(), "/claims", &body)
            .await?;
        let place = claims.placements.into_iter().next();
        let chosen = place.and_then(|place| Some((place.host, place.storages.into_iter().next()?.storage)));
        let (host, pool) = chosen.ok_or_else(|| Error::broken("the scheduler claimed room and named no place"))?;
        let placed = placed(cx, host, pool).await?;
        let tx = cx.tx().await?;
        set::<Entity>(&tx, self.disk, |u| {
            u.col_expr(Column::AccountId, Expr::value(placed.account))
                .col_expr(Column::HostId, Expr::value(placed.host))
                .col_expr(Column::StorageId, Expr::value(placed.storage))
        })
        .await?;
        cx.commit(tx, &placed).await?;
        Ok(placed)
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        ReleaseClaim {
            consumer: self.consumer(),
        }
        .run(cx)
        .await?;
        let tx = cx.tx().await?;
        set::<Entity>(&tx, self.disk, |u| {
            u.col_expr(Column::AccountId, Expr::value(None::<String>))
                .col_expr(Column::HostId, Expr::value(None::<String>))
                .col_expr(Column::StorageId, Expr::value(None::<String>))
        })
        .await?;
        cx.commit(tx, &()).await
    }
}

impl ClaimStorage {
    fn consumer(&self) -> String {
        format!("disk/{}", self.disk)
    }
}

async fn placed(cx: &StepCx, host: HostId, pool: StorageId) -> Result<Placed> {
    let host_row = cx.store().one(host::Entity::find_by_id(host)).await?;
    let host_row = host_row.ok_or_else(|| Error::not_found("host", host))?;
    let pool_row = cx.store().one(storage::Entity::find_by_id(pool)).await?;
    let pool_row = pool_row.ok_or_else(|| Error::not_found("storage", pool))?;
    Ok(Placed {
        account: host_row.account_id,
        host: host_row.id,
        host_ref: host_row.external_id,
        storage: pool_row.id,
        storage_name: pool_row.name,
    })
}
