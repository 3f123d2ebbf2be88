//! What callers see of servers: everything a page of rows refers to is fetched in one query per kind.

use std::collections::HashMap;

use store::{
    Store,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder},
};
use types::{DiskId, NetworkId, Result, ServerId, api::server as api, states};

use super::Model;
use crate::{account, address, disk, host, network, place::zone, tasks::holders};

pub async fn views(store: &Store, rows: Vec<Model>) -> Result<Vec<api::View>> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let tasks = holders(store, "server", &ids).await?;
    let mut addresses = addresses(store, &ids).await?;
    let mut disks = disks(store, &ids).await?;
    let hosts = hosts(store, &rows).await?;
    let accounts = accounts(store, &rows).await?;
    let zones: HashMap<_, _> = store
        .all(zone::Entity::find())
        .await?
        .into_iter()
        .map(|row| (row.id, row.name))
        .collect();
    Ok(rows
        .into_iter()
        .map(|row| {
            let host = row.host_id.and_then(|id| hosts.get(&id));
            api::View {
                task: tasks.get(&row.id.to_string()).copied(),
                addresses: addresses.remove(&row.id).unwrap_or_default(),
                disks: disks.remove(&row.id).unwrap_or_default(),
                host: host.map(|host| host.name.clone()),
                zone: host.and_then(|host| zones.get(&host.zone_id).cloned()),
                account: row.account_id.and_then(|id| accounts.get(&id).cloned()),
                id: row.id,
                name: row.name,
                state: row.state,
                power_state: row.power_state,
                power_seen_at: row.power_seen_at,
                guest: row.guest,
                guest_since: row.guest_since,
                fault: row.fault,
                host_id: row.host_id,
                image: row.image_name,
                flavor: row.flavor_name,
                flavor_id: row.flavor_id,
                vcpus: u32::try_from(row.vcpus).unwrap_or_default(),
                memory: row.memory,
                keypair: row.keypair_name,
                tags: row.tags.0,
                project_id: row.project_id,
                created_at: row.created_at,
                updated_at: row.updated_at,
                version: row.version,
            }
        })
        .collect())
}

async fn addresses(store: &Store, ids: &[ServerId]) -> Result<HashMap<ServerId, Vec<api::Address>>> {
    let rows = address::Entity::find()
        .filter(address::Column::ServerId.is_in(ids.iter().copied()))
        .order_by_asc(address::Column::Slot);
    let rows = store.all(rows).await?;
    let networks = network::Entity::find().filter(network::Column::Id.is_in(rows.iter().map(|row| row.network_id)));
    let names: HashMap<NetworkId, String> = store
        .all(networks)
        .await?
        .into_iter()
        .map(|row| (row.id, row.name))
        .collect();
    let mut found: HashMap<ServerId, Vec<api::Address>> = HashMap::new();
    for row in rows {
        let Some(server) = row.server_id else { continue };
        found.entry(server).or_default().push(api::Address {
            network: names.get(&row.network_id).cloned().unwrap_or_default(),
            network_id: row.network_id,
            address: row.address,
            mac: row.mac,
        });
    }
    Ok(found)
}

async fn disks(store: &Store, ids: &[ServerId]) -> Result<HashMap<ServerId, Vec<DiskId>>> {
    let rows = disk::Entity::find()
        .filter(disk::Column::ServerId.is_in(ids.iter().copied()))
        .filter(disk::Column::State.ne(states::Disk::Deleted))
        .order_by_asc(disk::Column::Slot);
    let mut found: HashMap<ServerId, Vec<DiskId>> = HashMap::new();
    for row in store.all(rows).await? {
        if let Some(server) = row.server_id {
            found.entry(server).or_default().push(row.id);
        }
    }
    Ok(found)
}

async fn hosts(store: &Store, rows: &[Model]) -> Result<HashMap<types::HostId, host::Model>> {
    let ids = rows.iter().filter_map(|row| row.host_id);
    let hosts = store
        .all(host::Entity::find().filter(host::Column::Id.is_in(ids)))
        .await?;
    Ok(hosts.into_iter().map(|host| (host.id, host)).collect())
}

async fn accounts(store: &Store, rows: &[Model]) -> Result<HashMap<types::AccountId, String>> {
    let ids = rows.iter().filter_map(|row| row.account_id);
    let accounts = store
        .all(account::Entity::find().filter(account::Column::Id.is_in(ids)))
        .await?;
    Ok(accounts.into_iter().map(|account| (account.id, account.name)).collect())
}
