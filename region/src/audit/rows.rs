//! The tables against each other: addresses, quota, claims.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use store::{
    Store, quota,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter},
};
use task::row::hold;
use types::{ProjectId, Result, states};

use super::Leak;
use crate::{State, address, disk, keypair, network, server, snapshot};

async fn live_servers(store: &Store) -> Result<Vec<server::Model>> {
    store
        .all(server::Entity::find().filter(server::Column::State.ne(states::Server::Deleted)))
        .await
}

async fn live_disks(store: &Store) -> Result<Vec<disk::Model>> {
    store
        .all(disk::Entity::find().filter(disk::Column::State.ne(states::Disk::Deleted)))
        .await
}

/// Addresses of servers that are gone, and counters that do not count.
pub async fn addresses(store: &Store) -> Result<Vec<Leak>> {
    let servers: HashSet<_> = live_servers(store).await?.into_iter().map(|row| row.id).collect();
    let rows = store
        .all(address::Entity::find().filter(address::Column::ServerId.is_not_null()))
        .await?;
    let mut used: HashMap<_, i64> = HashMap::new();
    let mut leaks = Vec::new();
    for row in rows {
        *used.entry(row.network_id).or_default() += 1;
        if row.server_id.is_some_and(|id| !servers.contains(&id)) {
            leaks.push(Leak::new(
                "addresses",
                "address",
                row.id,
                &row.address,
                "its server no longer exists",
            ));
        }
    }
    let networks = network::Entity::find().filter(network::Column::State.ne(states::Network::Deleted));
    for row in store.all(networks).await? {
        let count = used.get(&row.id).copied().unwrap_or_default();
        if row.used != count {
            let why = format!("it says {} addresses are used, and {count} are", row.used);
            leaks.push(Leak::new("addresses", "network", row.id, &row.name, why));
        }
    }
    Ok(leaks)
}

/// What projects are charged for against what they have.
pub async fn quota(store: &Store) -> Result<Vec<Leak>> {
    let mut have: BTreeMap<(ProjectId, &str), i64> = BTreeMap::new();
    let mut add =
        |project: &ProjectId, resource, amount: i64| *have.entry((project.clone(), resource)).or_default() += amount;
    // While something is resized, the larger of both sizes is charged.
    let mut moving: HashSet<(ProjectId, &str)> = HashSet::new();
    for row in live_servers(store).await? {
        if row.state == states::Server::Resizing {
            moving.extend(["vcpus", "memory_mib"].map(|resource| (row.project_id.clone(), resource)));
        }
        add(&row.project_id, "servers", 1);
        add(&row.project_id, "vcpus", row.vcpus);
        add(
            &row.project_id,
            "memory_mib",
            i64::try_from(row.memory.as_mib()).unwrap_or(i64::MAX),
        );
    }
    for row in live_disks(store).await? {
        if row.state == states::Disk::Resizing {
            moving.insert((row.project_id.clone(), "disk_gib"));
        }
        add(&row.project_id, "disks", 1);
        add(&row.project_id, "disk_gib", row.size.gib_up());
    }
    for row in store
        .all(network::Entity::find().filter(network::Column::State.ne(states::Network::Deleted)))
        .await?
    {
        add(&row.project_id, "networks", 1);
    }
    for row in store
        .all(snapshot::Entity::find().filter(snapshot::Column::State.ne(states::Snapshot::Deleted)))
        .await?
    {
        add(&row.project_id, "snapshots", 1);
    }
    for row in store.all(keypair::Entity::find()).await? {
        add(&row.project_id, "keypairs", 1);
    }
    let ours = [
        "servers",
        "vcpus",
        "memory_mib",
        "disks",
        "disk_gib",
        "networks",
        "snapshots",
        "keypairs",
    ];
    let mut leaks = Vec::new();
    for row in store.all(quota::Entity::find()).await? {
        let Some(resource) = ours.iter().find(|name| **name == row.resource) else {
            continue;
        };
        let count = have.remove(&(row.project_id.clone(), *resource)).unwrap_or_default();
        if count != row.used && !moving.contains(&(row.project_id.clone(), *resource)) {
            let why = format!("{} are charged, and {count} exist", row.used);
            leaks.push(Leak::new("quota", &row.resource, &row.project_id, &row.resource, why));
        }
    }
    for ((project, resource), count) in have {
        leaks.push(Leak::new(
            "quota",
            resource,
            &project,
            resource,
            format!("none are charged, and {count} exist"),
        ));
    }
    Ok(leaks)
}

/// Claims of what is gone, things without a claim, and sums that do not add up.
pub async fn claims(state: &State, request_id: &str) -> Result<Vec<Leak>> {
    let mut wanted: HashMap<String, String> = HashMap::new();
    for row in live_servers(&state.store)
        .await?
        .into_iter()
        .filter(|row| row.host_id.is_some())
    {
        wanted.insert(format!("server/{}", row.id), row.name);
    }
    for row in live_disks(&state.store)
        .await?
        .into_iter()
        .filter(|row| !row.root && row.external_id.is_some())
    {
        wanted.insert(format!("disk/{}", row.id), row.name);
    }
    // What a task holds is between two states.
    let held = state.store.all(hold::Entity::find()).await?;
    let held: HashSet<_> = held.into_iter().map(|row| row.resource).collect();
    let (mut leaks, mut seen) = (Vec::new(), HashSet::new());
    let mut after = String::new();
    loop {
        let page: Value = state
            .scheduler
            .get(request_id, &format!("/claims?limit=1000{after}"))
            .await?;
        for claim in page["items"].as_array().into_iter().flatten() {
            let consumer = claim["consumer"].as_str().unwrap_or_default();
            // A consumer has one claim for its host and one for each disk.
            seen.insert(consumer.to_owned());
            if !wanted.contains_key(consumer) && !held.contains(consumer) {
                leaks.push(Leak::new(
                    "claims",
                    "claim",
                    consumer,
                    consumer,
                    "it holds capacity for something that does not exist",
                ));
            }
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    wanted.retain(|consumer, _| !seen.contains(consumer) && !held.contains(consumer));
    for (consumer, name) in wanted {
        leaks.push(Leak::new(
            "claims",
            "claim",
            &consumer,
            &name,
            "it exists and holds no capacity",
        ));
    }
    let sums: Value = state.scheduler.get(request_id, "/claims/check").await?;
    for row in sums["items"].as_array().into_iter().flatten() {
        let column = row["column"].as_str().unwrap_or_default();
        let why = format!(
            "{column} says {} and the claims add up to {}",
            row["stored"], row["summed"]
        );
        let id = row["host"].as_str().or(row["storage"].as_str()).unwrap_or_default();
        leaks.push(Leak::new("claims", column, id, id, why));
    }
    Ok(leaks)
}
