//! Everything that must not leak, without ids and times: rows, quota, addresses, claims, and what the cloud has.

use std::collections::BTreeMap;

use region::{account, address, disk, host, network, server, snapshot, storage};
use serde_json::{Value, json};
use store::{
    quota,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter},
};
use types::states;

use crate::call::ADMIN;
use crate::site::Site;

/// Equal for two equal worlds. Panics when something was made twice, or failed without saying why.
pub async fn world(site: &Site) -> Value {
    let servers = server::Entity::find().filter(server::Column::State.ne(states::Server::Deleted));
    let servers = site.store.all(servers).await.unwrap();
    let name = |id| {
        servers
            .iter()
            .find(|row| Some(row.id) == id)
            .map(|row| row.name.clone())
    };
    json!({
        "servers": sorted(servers.iter().map(show_server)),
        "disks": disks(site, &name).await,
        "snapshots": snapshots(site).await,
        "networks": networks(site).await,
        "addresses": addresses(site, &name).await,
        "accounts": accounts(site).await,
        "hosts": hosts(site).await,
        "quota": quotas(site).await,
        "claims": claims(site).await,
        "cloud": cloud(site).await,
        "leaks": leaks(site).await,
    })
}

/// Every difference that `/leaks` shows, as `where`, `kind` and `why`.
pub async fn leaks(site: &Site) -> Vec<Value> {
    let found = site.get(ADMIN, "/leaks").await;
    let items = found["items"].as_array().unwrap().clone();
    sorted(
        items
            .into_iter()
            .map(|leak| json!([leak["where"], leak["kind"], leak["why"]])),
    )
}

/// The order in which rows are found means nothing.
fn sorted(items: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut items: Vec<_> = items.collect();
    items.sort_by_cached_key(Value::to_string);
    items
}

fn says_why(what: &str, failed: bool, fault: Option<&String>) {
    assert!(!failed || fault.is_some(), "{what} failed, and nothing says why");
}

fn show_server(row: &server::Model) -> Value {
    says_why(&row.name, row.state == states::Server::Failed, row.fault.as_ref());
    json!({
        "name": row.name,
        "state": row.state,
        "power": row.power_state,
        "flavor": row.flavor_name,
        "vcpus": row.vcpus,
        "memory": row.memory,
        "image": row.image_name,
        "placed": [row.account_id.is_some(), row.host_id.is_some()],
        "made": row.external_id.is_some(),
    })
}

async fn disks(site: &Site, name: &impl Fn(Option<types::ServerId>) -> Option<String>) -> Vec<Value> {
    let rows = disk::Entity::find().filter(disk::Column::State.ne(states::Disk::Deleted));
    let rows = site.store.all(rows).await.unwrap();
    sorted(rows.into_iter().map(|row| {
        says_why(
            &row.name,
            row.state == states::Disk::Failed && !row.root,
            row.fault.as_ref(),
        );
        json!({
            "root": row.root,
            "state": row.state,
            "size": row.size,
            "slot": row.slot,
            "server": name(row.server_id),
            "placed": [row.account_id.is_some(), row.host_id.is_some(), row.storage_id.is_some()],
            "made": row.external_id.is_some(),
        })
    }))
}

async fn snapshots(site: &Site) -> Vec<Value> {
    let rows = snapshot::Entity::find().filter(snapshot::Column::State.ne(states::Snapshot::Deleted));
    let rows = site.store.all(rows).await.unwrap();
    sorted(rows.into_iter().map(|row| {
        says_why(&row.name, row.state == states::Snapshot::Failed, row.fault.as_ref());
        json!({ "name": row.name, "state": row.state, "size": row.size, "made": row.external_id.is_some() })
    }))
}

async fn networks(site: &Site) -> Vec<Value> {
    let rows = network::Entity::find().filter(network::Column::State.ne(states::Network::Deleted));
    let rows = site.store.all(rows).await.unwrap();
    let places = site.store.all(network::ensure::Entity::find()).await.unwrap();
    sorted(rows.into_iter().map(|row| {
        says_why(&row.name, row.state == states::Network::Failed, row.fault.as_ref());
        let places = places.iter().filter(|place| place.network_id == row.id).count();
        json!({ "name": row.name, "state": row.state, "used": row.used, "places": places })
    }))
}

async fn addresses(site: &Site, name: &impl Fn(Option<types::ServerId>) -> Option<String>) -> Vec<Value> {
    let rows = site.store.all(address::Entity::find()).await.unwrap();
    sorted(rows.into_iter().map(|row| json!([row.address, name(row.server_id)])))
}

async fn accounts(site: &Site) -> Vec<Value> {
    let rows = account::Entity::find().filter(account::Column::State.ne(states::Account::Deleted));
    let rows = site.store.all(rows).await.unwrap();
    sorted(rows.into_iter().map(|row| {
        says_why(&row.name, row.state == states::Account::Failed, row.fault.as_ref());
        json!({ "name": row.name, "state": row.state })
    }))
}

async fn hosts(site: &Site) -> Vec<Value> {
    let pools = site.store.all(storage::Entity::find()).await.unwrap();
    let rows = site.store.all(host::Entity::find()).await.unwrap();
    sorted(rows.into_iter().map(|row| {
        let claimed: Vec<_> = pools
            .iter()
            .filter(|pool| pool.host_id == row.id)
            .map(|pool| pool.claimed)
            .collect();
        let used = [json!(row.vcpus_used), json!(row.memory_used)];
        json!({ "name": row.name, "state": row.state, "used": used, "claimed": claimed })
    }))
}

async fn quotas(site: &Site) -> Value {
    let rows = site.store.all(quota::Entity::find()).await.unwrap();
    let used = rows.into_iter().filter(|row| row.used != 0);
    json!(
        used.map(|row| (format!("{} {}", row.project_id, row.resource), row.used))
            .collect::<BTreeMap<_, _>>()
    )
}

async fn claims(site: &Site) -> Vec<Value> {
    let page: Value = site
        .state
        .scheduler
        .get("req-test", "/claims?limit=1000")
        .await
        .unwrap();
    let items = page["items"].as_array().unwrap().clone();
    sorted(items.into_iter().map(|claim| {
        let noun = claim["consumer"].as_str().unwrap().split('/').next().unwrap();
        json!([noun, claim["vcpus"], claim["memory"], claim["disk"]])
    }))
}

async fn cloud(site: &Site) -> Value {
    if site.store.one(account::Entity::find()).await.unwrap().is_none() {
        return Value::Null;
    }
    let control = site.control().await;
    assert_eq!(control.doubled().await.unwrap(), Vec::<String>::new(), "made twice");
    let world = control.world().await.unwrap();
    let machines = world.machines.values().map(|row| {
        json!({
            "power": row.heading(),
            "shape": row.shape,
            "disks": row.disks.len(),
            "nics": row.nics.iter().map(|nic| nic.address.clone()).collect::<Vec<_>>(),
        })
    });
    let volumes = world.volumes.values().map(|row| {
        json!({ "size": row.size, "attached": row.attached_to.is_some(), "content": row.content, "image": row.image.is_some() })
    });
    let networks = world.networks.values().map(|row| json!([row.name, row.leases.len()]));
    json!({
        "machines": sorted(machines),
        "volumes": sorted(volumes),
        "networks": sorted(networks),
        "images": world.images.len(),
        "snapshots": sorted(world.snapshots.values().map(|row| json!(row.size))),
    })
}
