//! Deleting a server: the machine, its addresses on the host, its root disk, its claim; data disks stay.

use auth::Cx;
use contract::network::Lease;
use serde::{Deserialize, Serialize};
use store::{
    Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Outcome, Started, StepKind, TaskCx, Workflow};
use types::{AccountId, DiskId, ExternalRef, Result, ServerId, states};
use web::Made;

use super::{Column, Entity, Model, settle, steps::*, target};
use crate::{
    address, disk, host,
    network::ensure,
    snapshot,
    swap::{current, set, swap},
};

pub async fn begin(cx: &Cx, tx: &mut Tx, row: Model) -> Result<Made<Entity>> {
    let workflow = read(tx, &row).await?;
    let task = match task::join_or_start(cx, tx, &workflow, target(&row)).await? {
        Started::New(task) => task,
        Started::Joined(task) => return Ok(Made::joined(task, row)),
    };
    let next = row.begin(states::Server::Deleting)?;
    let row = swap::<Entity>(tx, row.id, row.version, |u| {
        u.col_expr(Column::State, Expr::value(next))
    })
    .await?;
    Ok(Made::by(task, row))
}

/// Everything there is to take away, as the rows know it now.
async fn read(tx: &Tx, row: &Model) -> Result<DeleteServer> {
    let disks = disk::Entity::find()
        .filter(disk::Column::ServerId.eq(row.id))
        .filter(disk::Column::State.ne(states::Disk::Deleted));
    let (roots, data): (Vec<_>, Vec<_>) = tx.all(disks).await?.into_iter().partition(|disk| disk.root);
    let mut leases = Vec::new();
    if let (Some(account), Some(host)) = (row.account_id, row.host_id)
        && let Some(host) = tx.one(host::Entity::find_by_id(host)).await?
    {
        for address in tx
            .all(address::Entity::find().filter(address::Column::ServerId.eq(row.id)))
            .await?
        {
            let place = ensure::Entity::find_by_id((address.network_id, account, host.external_id.to_string()));
            if let Some(network) = tx.one(place).await?.and_then(|place| place.external_id) {
                let lease = Lease {
                    mac: address.mac,
                    address: address.address,
                    hostname: row.name.clone(),
                };
                leases.push((network, lease));
            }
        }
    }
    Ok(DeleteServer {
        server: row.id,
        account: row.account_id,
        machine: row.external_id.clone(),
        leases,
        roots: roots.into_iter().map(|disk| (disk.id, disk.external_id)).collect(),
        data: data.into_iter().map(|disk| disk.id).collect(),
    })
}

#[derive(Serialize, Deserialize)]
pub struct DeleteServer {
    server: ServerId,
    account: Option<AccountId>,
    machine: Option<ExternalRef>,
    leases: Vec<(ExternalRef, Lease)>,
    roots: Vec<(DiskId, Option<ExternalRef>)>,
    data: Vec<DiskId>,
}

impl Workflow for DeleteServer {
    const NAME: &'static str = "server-delete";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        if let Some(account) = self.account {
            if let Some(machine) = self.machine.clone() {
                cx.step(RemoveMachine { account, machine }).await?;
            }
            for (network, lease) in self.leases.clone() {
                cx.step(UnleaseAddress {
                    account,
                    network,
                    lease,
                })
                .await?;
            }
            for volume in self.roots.iter().filter_map(|(_, volume)| volume.clone()) {
                cx.step(RemoveVolume { account, volume }).await?;
            }
        }
        cx.step(ReleaseClaim {
            consumer: format!("server/{}", self.server),
        })
        .await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        if let Some(error) = outcome.error() {
            return settle::rest(cx, tx, self.server, states::Server::Failed, Some(error.chain())).await;
        }
        let row = current::<Entity>(tx, self.server).await?;
        let mut gib = 0;
        for (id, _) in &self.roots {
            let root = set::<disk::Entity>(tx, id, |u| {
                u.col_expr(disk::Column::State, Expr::value(states::Disk::Deleted))
                    .col_expr(disk::Column::ServerId, Expr::value(None::<String>))
            })
            .await?;
            gib += root.size.gib_up();
            snapshot::end_all(cx, tx, *id).await?;
        }
        for id in &self.data {
            set::<disk::Entity>(tx, id, |u| {
                u.col_expr(disk::Column::State, Expr::value(states::Disk::Available))
                    .col_expr(disk::Column::Slot, Expr::value(0))
                    .col_expr(disk::Column::ServerId, Expr::value(None::<String>))
            })
            .await?;
        }
        address::give_back(tx, self.server).await?;
        let memory = i64::try_from(row.memory.as_mib()).unwrap_or(i64::MAX);
        let roots = i64::try_from(self.roots.len()).unwrap_or(0);
        let amounts = [
            ("servers", 1),
            ("vcpus", row.vcpus),
            ("memory_mib", memory),
            ("disks", roots),
            ("disk_gib", gib),
        ];
        tx.refund(&row.project_id, &amounts).await?;
        settle::rest(cx, tx, self.server, states::Server::Deleted, None).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![RemoveMachine, UnleaseAddress, RemoveVolume, ReleaseClaim]
    }
}
