//! Deleting a disk that nothing uses: its volume, then its claim.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{
    Row, Tx,
    sea_orm::{EntityTrait, sea_query::Expr},
};
use task::{Outcome, Started, StepKind, TaskCx, Workflow};
use types::{AccountId, DiskId, Error, ExternalRef, Result, states};
use web::Made;

use super::{Column, Entity, Model, rest, target};
use crate::{
    server::{
        self,
        steps::{ReleaseClaim, RemoveVolume},
    },
    snapshot,
    swap::swap,
};

pub async fn begin(cx: &Cx, tx: &mut Tx, row: Model) -> Result<Made<Entity>> {
    let workflow = DeleteDisk {
        disk: row.id,
        account: row.account_id,
        volume: row.external_id.clone(),
    };
    let task = match task::join_or_start(cx, tx, &workflow, target(&row)).await? {
        Started::New(task) => task,
        Started::Joined(task) => return Ok(Made::joined(task, row)),
    };
    unused(tx, &row).await?;
    let next = row.begin(states::Disk::Deleting)?;
    let row = swap::<Entity>(tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok(Made::by(task, row))
}

/// Errors: `Conflict`, code `in_use`, naming the server or the snapshot that needs it.
async fn unused(tx: &Tx, row: &Model) -> Result<()> {
    let in_use = |message: String| Err(Error::conflict(message).code("in_use").on(Entity::NOUN, row.id));
    if let Some(id) = row.server_id {
        let server = tx.one(server::Entity::find_by_id(id)).await?;
        let name = server.map_or_else(|| id.to_string(), |server| server.name);
        return in_use(match row.root {
            true => format!(
                "disk `{}` is the root disk of server `{name}`: it is deleted with that server",
                row.name
            ),
            false => format!("disk `{}` is attached to server `{name}`: detach it first", row.name),
        });
    }
    match snapshot::any_of(tx, row.id).await? {
        Some(one) => in_use(format!(
            "disk `{}` has snapshot `{}`: delete its snapshots first",
            row.name, one.name
        )),
        None => Ok(()),
    }
}

#[derive(Serialize, Deserialize)]
pub struct DeleteDisk {
    disk: DiskId,
    account: Option<AccountId>,
    volume: Option<ExternalRef>,
}

impl Workflow for DeleteDisk {
    const NAME: &'static str = "disk-delete";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        if let (Some(account), Some(volume)) = (self.account, self.volume.clone()) {
            cx.step(RemoveVolume { account, volume }).await?;
        }
        cx.step(ReleaseClaim {
            consumer: format!("disk/{}", self.disk),
        })
        .await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        if let Some(error) = outcome.error() {
            return rest(cx, tx, self.disk, states::Disk::Failed, Some(error.chain()))
                .await
                .map(drop);
        }
        let row = rest(cx, tx, self.disk, states::Disk::Deleted, None).await?;
        tx.refund(&row.project_id, &[("disks", 1), ("disk_gib", row.size.gib_up())])
            .await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![RemoveVolume, ReleaseClaim]
    }
}
