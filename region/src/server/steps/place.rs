//! Capacity: claimed before anything is made, released after everything is gone.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::sea_orm::{EntityTrait, sea_query::Expr};
use task::{Step, StepCx};
use types::{AccountId, DiskId, Error, ExternalRef, HostId, Result, ServerId, StorageId, states};

use crate::{State, disk, host, server, storage, swap::set};

/// Where a server goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Placed {
    pub account: AccountId,
    pub host: HostId,
    /// The host's reference on its cloud.
    pub host_ref: ExternalRef,
    pub storage: StorageId,
    pub storage_name: String,
}

/// Ask the scheduler for a host with room, and take the room.
#[derive(Serialize, Deserialize)]
pub struct ClaimHost {
    pub server: ServerId,
    pub disk: DiskId,
    pub ask: Value,
}

impl Step for ClaimHost {
    type Output = Placed;
    const NAME: &'static str = "claim-host";

    async fn run(&self, cx: &StepCx) -> Result<Placed> {
        let consumer = format!("server/{}", self.server);
        let mut request = self.ask.clone();
        request["count"] = json!(1);
        let body = json!({ "consumers": [{ "consumer": consumer, "token": cx.token() }], "request": request, "dry_run": false });
        let state = cx.get::<State>();
        let claims: Value = state.scheduler.post(cx.cx().request_id(), "/claims", &body).await?;
        let first = &claims["placements"][0];
        let host_id: HostId = read(&first["host"])?;
        let storage_id: StorageId = read(&first["storages"][0]["storage"])?;
        let host = cx.store().one(host::Entity::find_by_id(host_id)).await?;
        let host = host.ok_or_else(|| Error::not_found("host", host_id))?;
        let pool = cx.store().one(storage::Entity::find_by_id(storage_id)).await?;
        let pool = pool.ok_or_else(|| Error::not_found("storage", storage_id))?;
        let placed = Placed {
            account: host.account_id,
            host: host.id,
            host_ref: host.external_id,
            storage: pool.id,
            storage_name: pool.name,
        };
        self.write(cx, &placed).await?;
        Ok(placed)
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        release(cx, &format!("server/{}", self.server)).await?;
        let tx = cx.tx().await?;
        set::<server::Entity>(&tx, self.server, |u| {
            u.col_expr(server::Column::HostId, Expr::value(None::<String>))
                .col_expr(server::Column::AccountId, Expr::value(None::<String>))
        })
        .await?;
        set::<disk::Entity>(&tx, self.disk, |u| {
            u.col_expr(disk::Column::HostId, Expr::value(None::<String>))
                .col_expr(disk::Column::AccountId, Expr::value(None::<String>))
                .col_expr(disk::Column::StorageId, Expr::value(None::<String>))
        })
        .await?;
        cx.commit(tx, &()).await
    }
}

impl ClaimHost {
    async fn write(&self, cx: &StepCx, placed: &Placed) -> Result<()> {
        let mut tx = cx.tx().await?;
        let row = set::<server::Entity>(&tx, self.server, |u| {
            u.col_expr(server::Column::State, Expr::value(states::Server::Building))
                .col_expr(server::Column::HostId, Expr::value(placed.host))
                .col_expr(server::Column::AccountId, Expr::value(placed.account))
        })
        .await?;
        set::<disk::Entity>(&tx, self.disk, |u| {
            u.col_expr(disk::Column::HostId, Expr::value(placed.host))
                .col_expr(disk::Column::AccountId, Expr::value(placed.account))
                .col_expr(disk::Column::StorageId, Expr::value(placed.storage))
        })
        .await?;
        web::noun::announce::<server::Entity>(cx.cx(), &mut tx, &row, "scheduled").await?;
        cx.commit(tx, placed).await
    }
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T> {
    serde_json::from_value(value.clone())
        .map_err(|e| Error::broken("the scheduler answered in an unexpected shape").because(e))
}

async fn release(cx: &StepCx, consumer: &str) -> Result<()> {
    let scheduler = &cx.get::<State>().scheduler;
    scheduler
        .call(
            http::Method::DELETE,
            cx.cx().request_id(),
            &format!("/claims?consumer={consumer}"),
            None::<&Value>,
        )
        .await
}

/// Give the room back.
#[derive(Serialize, Deserialize)]
pub struct ReleaseClaim {
    /// `server/<id>` or `disk/<id>`.
    pub consumer: String,
}

impl Step for ReleaseClaim {
    type Output = ();
    const NAME: &'static str = "release-claim";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        release(cx, &self.consumer).await
    }

    /// It is the last step of a deletion: what it follows cannot be undone either.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
