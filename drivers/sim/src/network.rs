//! Simulated networks and their reservations.

use std::net::IpAddr;

use async_trait::async_trait;
use contract::{
    Call, Cursor, Error, ExternalRef, Net, NetworkSpec, Networks, Op, Page, Result, Token, network::Lease, site::Place,
};
use ipnet::IpNet;

use crate::{
    cloud::{Draft, SimCloud, external},
    place,
    world::{self, Change, Effect},
};

/// The family in tokens and effects.
pub(crate) const FAMILY: &str = "networks";

#[async_trait]
impl Networks for SimCloud {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Net>> {
        self.look(call, "networks.list", |world, _| {
            Ok(self.page(&world.networks, from, show))
        })
        .await
    }

    async fn create(&self, call: &Call, spec: &NetworkSpec, place: &Place, token: &Token) -> Result<Op<ExternalRef>> {
        self.slow(call, "networks.create", |draft, _| create(draft, spec, place, token))
            .await
    }

    async fn delete(&self, call: &Call, network: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "networks.delete", |draft, _| delete(draft, network.as_str()))
            .await
    }

    async fn reserve(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()> {
        self.quick(call, "networks.reserve", |draft| reserve(draft, network, lease))
            .await
    }

    async fn release(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()> {
        self.quick(call, "networks.release", |draft| {
            let Some(row) = draft.world.networks.get(network.as_str()) else {
                return Ok(());
            };
            let mut row = row.clone();
            let before = row.leases.len();
            row.leases.retain(|l| l.mac != lease.mac || l.address != lease.address);
            if row.leases.len() < before {
                draft.push(Change::Network(row));
            }
            Ok(())
        })
        .await
    }
}

/// One per token and host.
fn key(token: &Token, host: Option<&str>) -> String {
    match host {
        Some(host) => Effect::key(FAMILY, &format!("{token}@{host}")),
        None => Effect::key(FAMILY, token.as_str()),
    }
}

fn create(draft: &mut Draft<'_>, spec: &NetworkSpec, place: &Place, token: &Token) -> Result<ExternalRef> {
    let host = place
        .host
        .as_ref()
        .map(|host| place::reach(draft.world, host.as_str()))
        .transpose()?;
    let host = host.map(|host| host.id.clone());
    let key = key(token, host.as_deref());
    if let Some(id) = draft.world.effects.get(&key).and_then(|effect| effect.live.as_ref()) {
        draft.subject.clone_from(id);
        return Ok(external(id));
    }
    sound(draft.world, spec, host.as_deref())?;
    let row = world::Network {
        id: draft.id("net"),
        name: spec.name.clone(),
        token: token.clone(),
        host,
        cidr: spec.cidr.clone(),
        gateway: spec.gateway.clone(),
        mode: spec.mode.clone(),
        leases: Vec::new(),
    };
    draft.subject.clone_from(&row.id);
    draft.push(Change::Made {
        key,
        id: row.id.clone(),
    });
    draft.push(Change::Network(row));
    Ok(external(&draft.subject))
}

/// Whether the spec makes sense and its name is free there.
fn sound(world: &world::World, spec: &NetworkSpec, host: Option<&str>) -> Result<()> {
    let range = range(&spec.cidr)?;
    if !inside(&range, &spec.gateway) {
        return Err(Error::invalid(format!(
            "gateway {} is not in {}",
            spec.gateway, spec.cidr
        )));
    }
    let mut others = world.networks.values();
    if others.any(|n| n.name == spec.name && n.host.as_deref() == host) {
        return Err(Error::conflict(format!("there is another network {}", spec.name)).code("name_taken"));
    }
    Ok(())
}

fn delete(draft: &mut Draft<'_>, id: &str) -> Result<()> {
    draft.subject = id.to_owned();
    let Some(row) = draft.world.networks.get(id) else {
        return Ok(());
    };
    if let Some(host) = &row.host {
        place::reach(draft.world, host)?;
    }
    let uses = |m: &&world::Machine| m.nics.iter().any(|nic| nic.network.as_str() == id);
    if let Some(machine) = draft.world.machines.values().find(uses) {
        let message = format!(
            "network {} is used by server {}: delete that first",
            row.name, machine.name
        );
        return Err(Error::conflict(message).code("network_in_use").on("network", id));
    }
    draft.push(Change::Deleted {
        key: key(&row.token, row.host.as_deref()),
    });
    draft.push(Change::NetworkGone(id.to_owned()));
    Ok(())
}

fn reserve(draft: &mut Draft<'_>, network: &ExternalRef, lease: &Lease) -> Result<()> {
    let found = draft.world.networks.get(network.as_str());
    let mut row = found.ok_or_else(|| Error::not_found("network", network))?.clone();
    if let Some(host) = &row.host {
        place::reach(draft.world, host)?;
    }
    if row.leases.contains(lease) {
        return Ok(());
    }
    if !inside(&range(&row.cidr)?, &lease.address) {
        return Err(Error::invalid(format!(
            "address {} is not in network {}",
            lease.address, row.name
        )));
    }
    if let Some(other) = row
        .leases
        .iter()
        .find(|l| l.address == lease.address && l.mac != lease.mac)
    {
        let message = format!(
            "address {} of network {} belongs to {}",
            lease.address, row.name, other.mac
        );
        return Err(Error::conflict(message).code("address_taken"));
    }
    row.leases.retain(|l| l.mac != lease.mac);
    row.leases.push(lease.clone());
    draft.push(Change::Network(row));
    Ok(())
}

fn range(cidr: &str) -> Result<IpNet> {
    cidr.parse()
        .map_err(|e| Error::invalid(format!("`{cidr}` is not an address range such as 10.0.0.0/24")).because(e))
}

fn inside(range: &IpNet, address: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|address| range.contains(&address))
}

fn show(row: &world::Network) -> Net {
    Net {
        id: external(&row.id),
        name: row.name.clone(),
        token: Some(row.token.clone()),
        cidr: Some(row.cidr.clone()),
        host: row.host.as_deref().map(external),
        leases: row.leases.clone(),
    }
}
