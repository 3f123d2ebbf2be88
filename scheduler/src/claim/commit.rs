//! One transaction for all claims of an ask: rows, then hosts, then storages, then the strict rules of groups.
//! Rows are always locked in this order, so two asks never wait for each other in a circle.

use std::collections::BTreeSet;

use engine::{Placement, Request};
use sea_orm::{EntityTrait, IntoActiveModel, QueryTrait};
use store::{Store, Tx};
use types::{ClaimId, Result, Size, Timestamp};

use super::{
    Entity, Model,
    ask::Consumer,
    book::{self, Sums},
    group,
};
use crate::inventory;

/// Rows in one statement; each column is a parameter, and a statement has at most 32,766.
const ROWS: usize = 500;

/// False when the plan does not hold any more: somebody took the room, a token, or a place in a group.
pub async fn commit(
    store: &Store,
    consumers: &[&Consumer],
    request: &Request,
    placements: &[Placement],
) -> Result<bool> {
    let rows = rows(consumers, request, placements);
    let mut tx = store.begin().await?;
    group::lock(&tx, request).await?;
    match insert(&tx, &rows).await {
        Err(error) if error.code == "name_taken" => return Ok(false),
        other => other?,
    }
    let members = members(&rows, request);
    join(&tx, &members).await?;
    if !book::take(&tx, &Sums::of(&rows)).await? {
        return Ok(false);
    }
    if !group::agrees(&tx, request, &members).await? {
        return Ok(false);
    }
    tx.wake(inventory::CHANNEL);
    tx.commit().await?;
    Ok(true)
}

async fn insert(tx: &Tx, rows: &[Model]) -> Result<()> {
    for some in rows.chunks(ROWS) {
        let rows = some.iter().cloned().map(IntoActiveModel::into_active_model);
        tx.execute(&Entity::insert_many(rows).into_query()).await?;
    }
    Ok(())
}

async fn join(tx: &Tx, members: &[group::Model]) -> Result<()> {
    for some in members.chunks(ROWS) {
        let rows = some.iter().cloned().map(IntoActiveModel::into_active_model);
        tx.execute(&group::Entity::insert_many(rows).into_query()).await?;
    }
    Ok(())
}

/// In order of token, the order in which equal tokens of two asks meet.
fn rows(consumers: &[&Consumer], request: &Request, placements: &[Placement]) -> Vec<Model> {
    let now = Timestamp::now();
    let mut rows = Vec::new();
    for (consumer, placement) in consumers.iter().zip(placements) {
        let host = Model {
            id: ClaimId::new().to_string(),
            consumer: consumer.consumer.clone(),
            token: consumer.token.clone(),
            slot: 0,
            host_id: placement.host.to_string(),
            storage_id: None,
            vcpus: i64::from(request.vcpus),
            memory: bytes(request.memory),
            disk: 0,
            resized_by: None,
            created_at: now,
        };
        let disks = request.disks.iter().zip(&placement.storages).enumerate();
        let disks = disks.map(|(at, (disk, storage))| Model {
            id: ClaimId::new().to_string(),
            consumer: consumer.disks.get(at).unwrap_or(&consumer.consumer).clone(),
            slot: at as i64 + 1,
            storage_id: Some(storage.to_string()),
            vcpus: 0,
            memory: 0,
            disk: bytes(disk.size),
            ..host.clone()
        });
        rows.extend(disks);
        rows.push(host);
    }
    rows.sort_by(|a, b| (&a.token, a.slot).cmp(&(&b.token, b.slot)));
    rows
}

fn members(rows: &[Model], request: &Request) -> Vec<group::Model> {
    let names: BTreeSet<&String> = request.groups.iter().map(|group| &group.name).collect();
    let heads = rows.iter().filter(|row| row.slot == 0);
    let of = |row: &Model| {
        let (claim_id, host_id) = (row.id.clone(), row.host_id.clone());
        move |name: &&String| group::Model {
            name: (*name).clone(),
            claim_id: claim_id.clone(),
            host_id: host_id.clone(),
        }
    };
    heads
        .flat_map(|row| names.iter().map(of(row)).collect::<Vec<_>>())
        .collect()
}

pub fn bytes(size: Size) -> i64 {
    i64::try_from(size.as_bytes()).unwrap_or(i64::MAX)
}
