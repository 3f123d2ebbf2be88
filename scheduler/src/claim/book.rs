//! The three sums that belong to the scheduler: `host.vcpus_used`, `host.memory_used`, `storage.claimed`.
//! Taking succeeds only where there is room; the comparison and the change are one statement.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, UpdateMany,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use store::Tx;
use types::{Result, Timestamp, states};

use super::Model;
use crate::inventory::{
    ENABLED,
    rows::{host, storage},
};

/// What claims take together, in order of id, which is the order in which rows are locked.
#[derive(Default)]
pub struct Sums {
    /// vcpus and bytes of memory.
    pub hosts: BTreeMap<String, (i64, i64)>,
    pub storages: BTreeMap<String, i64>,
}

impl Sums {
    pub fn of<'a>(claims: impl IntoIterator<Item = &'a Model>) -> Self {
        let mut sums = Self::default();
        for claim in claims {
            if claim.slot == 0 {
                let (vcpus, memory) = sums.hosts.entry(claim.host_id.clone()).or_default();
                *vcpus += claim.vcpus;
                *memory += claim.memory;
            }
            if let Some(storage) = &claim.storage_id {
                *sums.storages.entry(storage.clone()).or_default() += claim.disk;
            }
        }
        sums
    }
}

/// Takes all of it for new claims: hosts must be ready and enabled. False when something has no room any more.
pub async fn take(tx: &Tx, sums: &Sums) -> Result<bool> {
    for (id, (vcpus, memory)) in &sums.hosts {
        let update = change_host(id, *vcpus, *memory)
            .filter(host::Column::State.eq(states::Host::Ready.as_str()))
            .filter(host::Column::Intent.eq(ENABLED))
            .filter(cpu_fits(*vcpus))
            .filter(memory_fits(*memory));
        if tx.update(update).await? == 0 {
            return Ok(false);
        }
    }
    for (id, disk) in &sums.storages {
        let update = change_storage(id, *disk).filter(storage::Column::Enabled.eq(true));
        if tx.update(update.filter(disk_fits(*disk))).await? == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives all of it back; a host or storage that is gone has nothing to give it to.
pub async fn give(tx: &Tx, sums: &Sums) -> Result<()> {
    for (id, (vcpus, memory)) in &sums.hosts {
        tx.update(change_host(id, -vcpus, -memory)).await?;
    }
    for (id, disk) in &sums.storages {
        tx.update(change_storage(id, -disk)).await?;
    }
    Ok(())
}

/// Changes what one server takes; only what grows needs room. The host may be in any state: the server is there.
pub async fn grow_host(tx: &Tx, id: &str, vcpus: i64, memory: i64) -> Result<bool> {
    let mut update = change_host(id, vcpus, memory);
    if vcpus > 0 {
        update = update.filter(cpu_fits(vcpus));
    }
    if memory > 0 {
        update = update.filter(memory_fits(memory));
    }
    Ok(tx.update(update).await? > 0)
}

pub async fn grow_storage(tx: &Tx, id: &str, disk: i64) -> Result<bool> {
    let mut update = change_storage(id, disk);
    if disk > 0 {
        update = update.filter(disk_fits(disk));
    }
    Ok(tx.update(update).await? > 0)
}

/// `updated_at` moves too, so that other schedulers read the row again; `version` is the region's.
fn change_host(id: &str, vcpus: i64, memory: i64) -> UpdateMany<host::Entity> {
    use host::Column::{Id, MemoryUsed, UpdatedAt, VcpusUsed};
    host::Entity::update_many()
        .col_expr(VcpusUsed, Expr::col(VcpusUsed).add(vcpus))
        .col_expr(MemoryUsed, Expr::col(MemoryUsed).add(memory))
        .col_expr(UpdatedAt, Expr::value(Timestamp::now()))
        .filter(Id.eq(id))
}

fn change_storage(id: &str, disk: i64) -> UpdateMany<storage::Entity> {
    use storage::Column::{Claimed, Id, UpdatedAt};
    storage::Entity::update_many()
        .col_expr(Claimed, Expr::col(Claimed).add(disk))
        .col_expr(UpdatedAt, Expr::value(Timestamp::now()))
        .filter(Id.eq(id))
}

/// The same arithmetic as `engine::Amount::limit`.
fn cpu_fits(vcpus: i64) -> SimpleExpr {
    use host::Column::{CpuOvercommit, Vcpus, VcpusUsed};
    let limit = Expr::col(Vcpus).mul(Expr::col(CpuOvercommit)).div(1000_i64);
    Expr::col(VcpusUsed).add(vcpus).lte(limit)
}

fn memory_fits(memory: i64) -> SimpleExpr {
    use host::Column::{Memory, MemoryOvercommit, MemoryReserved, MemoryUsed};
    let total = Expr::col(Memory).sub(Expr::col(MemoryReserved));
    let limit = total.mul(Expr::col(MemoryOvercommit)).div(1000_i64);
    Expr::col(MemoryUsed).add(memory).lte(limit)
}

fn disk_fits(disk: i64) -> SimpleExpr {
    use storage::Column::{Capacity, Claimed};
    Expr::col(Claimed).add(disk).lte(Expr::col(Capacity))
}
