//! The rows of one server before anything of it exists.

use auth::Cx;
use contract::compute::{Seed, Shape};
use serde_json::json;
use store::{Tx, sea_orm::ActiveValue::Set};
use types::{
    DiskId, Json as JsonColumn, Result, ServerId, Timestamp,
    api::server as api,
    states::{self, Power},
};

use super::{
    super::{ActiveModel, Entity, Model, fetch::Ready},
    CreateServer,
    one::Card,
};
use crate::{address, disk, flavor::taken, network};

/// One server as it was written, what will make it, and what its view would read from rows that nobody else sees yet.
pub struct Intent {
    pub row: Model,
    pub workflow: CreateServer,
    pub disk: DiskId,
    pub addresses: Vec<api::Address>,
}

/// One server with everything that must exist together with it.
pub async fn insert(cx: &Cx, tx: &mut Tx, ready: &Ready, name: &str) -> Result<Intent> {
    let (project, _) = cx.project()?;
    let root_gib = ready.root.gib_up();
    let memory = i64::try_from(ready.flavor.memory.as_mib()).unwrap_or(i64::MAX);
    tx.charge(
        project,
        &[
            ("servers", 1),
            ("vcpus", ready.flavor.vcpus),
            ("memory_mib", memory),
            ("disks", 1),
            ("disk_gib", root_gib),
        ],
    )
    .await?;
    let row = tx
        .insert(server_row(cx, ready, name)?)
        .await
        .map_err(|e| taken(e, "server", name))?;
    let root = tx.insert(root_row(&row, ready)).await?;
    let (mut nics, mut addresses) = (Vec::new(), Vec::new());
    for (slot, network) in ready.networks.iter().enumerate() {
        let address = address::take(tx, network.id, row.id, i64::try_from(slot).unwrap_or(0)).await?;
        addresses.push(api::Address {
            network: network.name.clone(),
            network_id: network.id,
            address: address.address.clone(),
            mac: address.mac.clone(),
        });
        nics.push(Card {
            network: network.id,
            mac: address.mac,
            address: address.address,
        });
    }
    let seed = seed(&row, guest_network(&ready.networks, &nics));
    let workflow = CreateServer {
        server: row.id,
        name: name.to_owned(),
        disk: root.id,
        root: ready.root,
        shape: Shape {
            vcpus: u32::try_from(row.vcpus).unwrap_or(u32::MAX),
            memory: row.memory,
        },
        nics,
        image: ready.image.clone(),
        seed,
        ask: ready.ask.clone(),
        start: !ready.input.stopped,
    };
    web::noun::announce::<Entity>(cx, tx, &row, "created").await?;
    let disk = root.id;
    Ok(Intent {
        row,
        workflow,
        disk,
        addresses,
    })
}

fn server_row(cx: &Cx, ready: &Ready, name: &str) -> Result<ActiveModel> {
    let (project, domain) = cx.project()?;
    let now = Timestamp::now();
    Ok(ActiveModel {
        id: Set(ServerId::new()),
        name: Set(name.to_owned()),
        project_id: Set(project.clone()),
        domain_id: Set(domain.clone()),
        state: Set(states::Server::Scheduling),
        fault: Set(None),
        power_state: Set(Power::Unknown),
        power_seen_at: Set(None),
        guest: Set(None),
        guest_since: Set(None),
        commanded_at: Set(now),
        account_id: Set(None),
        host_id: Set(None),
        external_id: Set(None),
        image_id: Set(ready.image.id.parse()?),
        image_name: Set(ready.image.name.clone()),
        flavor_id: Set(ready.flavor.id),
        flavor_name: Set(ready.flavor.name.clone()),
        vcpus: Set(ready.flavor.vcpus),
        memory: Set(ready.flavor.memory),
        keypair_name: Set(ready.keypair.as_ref().map(|key| key.name.clone())),
        public_key: Set(ready.keypair.as_ref().map(|key| key.public_key.clone())),
        user_data: Set(ready.input.user_data.clone()),
        apart_from: Set(ready.input.apart_from.clone()),
        tags: Set(JsonColumn(ready.input.tags.clone())),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    })
}

fn root_row(server: &Model, ready: &Ready) -> disk::ActiveModel {
    let id = DiskId::new();
    disk::ActiveModel {
        id: Set(id),
        name: Set(format!(
            "{}-{}",
            server.name.chars().take(30).collect::<String>(),
            &id.to_string()["disk-".len()..]
        )),
        project_id: Set(server.project_id.clone()),
        domain_id: Set(server.domain_id.clone()),
        state: Set(states::Disk::Creating),
        fault: Set(None),
        size: Set(ready.root),
        root: Set(true),
        slot: Set(0),
        server_id: Set(Some(server.id)),
        account_id: Set(None),
        host_id: Set(None),
        storage_id: Set(None),
        external_id: Set(None),
        tags: Set(JsonColumn(Default::default())),
        created_at: Set(server.created_at),
        updated_at: Set(server.created_at),
        version: Set(1),
    }
}

fn seed(row: &Model, network_config: Option<String>) -> Seed {
    Seed {
        instance_id: row.id.to_string(),
        hostname: row.name.clone(),
        ssh_keys: row.public_key.iter().cloned().collect(),
        user_data: row.user_data.clone(),
        network_config,
    }
}

/// Netplan version 2 for guests with a card on a bridge: nobody there hands out our addresses. None where DHCP does.
fn guest_network(networks: &[network::Model], cards: &[Card]) -> Option<String> {
    networks.iter().find(|network| network.bridge.is_some())?;
    let mut ethernets = serde_json::Map::new();
    for (slot, (network, card)) in networks.iter().zip(cards).enumerate() {
        let mut settings = json!({ "match": { "macaddress": card.mac } });
        match network.bridge {
            None => settings["dhcp4"] = json!(true),
            Some(_) => {
                let prefix = network.cidr.split('/').nth(1).unwrap_or("24");
                settings["addresses"] = json!([format!("{}/{prefix}", card.address)]);
                if slot == 0 {
                    settings["routes"] = json!([{ "to": "default", "via": network.gateway }]);
                }
                let dns = if network.dns.is_empty() {
                    vec![network.gateway.clone()]
                } else {
                    network.dns.0.clone()
                };
                settings["nameservers"] = json!({ "addresses": dns });
            }
        }
        ethernets.insert(format!("nic{slot}"), settings);
    }
    // JSON is YAML too.
    Some(json!({ "version": 2, "ethernets": ethernets }).to_string())
}
