//! Networks as libvirt networks: NAT with a dnsmasq of libvirt's, or an existing bridge of the host.

use std::path::Path;

use contract::{
    Error, ExternalRef, Net, NetworkSpec, Result, Token,
    network::{Lease, Mode},
};
use uuid::Uuid;
use virt::{network::Network, sys};

use crate::{
    agent::{
        libvirt, net,
        node::{self, Node},
        xml::Mark,
    },
    wire::Listing,
};

/// A network of ours.
pub struct Ours {
    pub id: Uuid,
    pub network: Network,
    pub read: net::Read,
}

impl Node {
    pub fn networks(&self) -> Result<Listing<Net>> {
        let connection = self.libvirt.connect()?;
        let all = connection
            .list_all_networks(0)
            .map_err(libvirt::error("the networks cannot be listed"))?;
        let mut items = Vec::new();
        for network in all {
            items.extend(self.look_network(network)?.map(|ours| self.describe_network(ours)));
        }
        Ok(Listing {
            items,
            skipped: Vec::new(),
        })
    }

    /// Defined, then started: killed in between, the next attempt or the next server on it starts it.
    pub fn create_network(&self, spec: &NetworkSpec, token: &Token) -> Result<ExternalRef> {
        let id = node::id("network", token)?;
        let what = || format!("network {} cannot be made on host {}", spec.name, self.name);
        let (network, fresh) = match self.find_network(id)? {
            Some(ours) => (ours.network, false),
            None => {
                if let Mode::Bridge { bridge } = &spec.mode {
                    self.check_bridge(bridge)?;
                }
                let mark = Mark {
                    host: self.id.clone(),
                    token: token.to_string(),
                    name: spec.name.clone(),
                };
                let text = net::write(spec, &mark, &id.to_string(), &node::short(id))?;
                (
                    self.libvirt
                        .connect()?
                        .define_network_xml(&text)
                        .map_err(libvirt::error(what()))?,
                    true,
                )
            }
        };
        if let Err(error) = activate(&network) {
            if fresh {
                // It never worked, so nothing can be on it; its name and bridge are given back.
                drop(network.undefine());
            }
            return Err(start_error(error, what()));
        }
        Ok(self.reference(id))
    }

    pub fn delete_network(&self, id: Uuid) -> Result<()> {
        let Some(ours) = self.find_network(id)? else {
            return Ok(());
        };
        let user = self
            .domains()?
            .into_iter()
            .find(|d| d.read.nics.iter().any(|(_, name)| *name == ours.read.name));
        if let Some(user) = user {
            let message = format!(
                "network {} is used by server {}",
                ours.read.mark.name, user.read.mark.name
            );
            return Err(Error::conflict(message).code("network_in_use"));
        }
        let remove = || -> Result<(), virt::error::Error> {
            if ours.network.is_active()? {
                ours.network.destroy()?;
            }
            ours.network.undefine()
        };
        match remove() {
            Err(e) if !libvirt::is_absent(&e) => Err(libvirt::error(format!(
                "network {} cannot be removed",
                ours.read.mark.name
            ))(e)),
            _ => Ok(()),
        }
    }

    pub fn reserve(&self, id: Uuid, lease: &Lease) -> Result<()> {
        let ours = self.network(id)?;
        if ours.read.bridge.is_some() {
            return Ok(()); // addresses come from outside or from the seed
        }
        let same_mac = |l: &&Lease| l.mac.eq_ignore_ascii_case(&lease.mac);
        let old = ours.read.leases.iter().find(same_mac);
        if old.is_some_and(|old| old.address == lease.address) {
            return Ok(());
        }
        if let Some(other) = ours.read.leases.iter().find(|l| l.address == lease.address) {
            let message = format!("address {} is reserved for card {}", lease.address, other.mac);
            return Err(Error::conflict(message).code("address_taken"));
        }
        if let Some(old) = old {
            update(&ours, sys::VIR_NETWORK_UPDATE_COMMAND_DELETE, &net::host(old, &[]))?;
        }
        update(
            &ours,
            sys::VIR_NETWORK_UPDATE_COMMAND_ADD_LAST,
            &net::host(lease, &ours.read.leases),
        )
    }

    pub fn release(&self, id: Uuid, lease: &Lease) -> Result<()> {
        let Some(ours) = self.find_network(id)? else {
            return Ok(());
        };
        let held = |l: &&Lease| l.mac.eq_ignore_ascii_case(&lease.mac) && l.address == lease.address;
        match ours.read.leases.iter().find(held) {
            Some(held) => update(&ours, sys::VIR_NETWORK_UPDATE_COMMAND_DELETE, &net::host(held, &[])),
            None => Ok(()),
        }
    }

    pub fn network(&self, id: Uuid) -> Result<Ours> {
        self.find_network(id)?
            .ok_or_else(|| Error::not_found("network", self.reference(id)))
    }

    /// The reservations of a network, by the name that domains use.
    pub fn leases_on(&self, name: &str) -> Result<Vec<Lease>> {
        match self.libvirt.connect()?.lookup_network_by_name(name) {
            Ok(network) => Ok(self
                .look_network(network)?
                .map(|ours| ours.read.leases)
                .unwrap_or_default()),
            Err(e) if libvirt::is_absent(&e) => Ok(Vec::new()),
            Err(e) => Err(libvirt::error(format!("network {name} cannot be looked up"))(e)),
        }
    }

    /// Starts a network that a reboot of the host left stopped. libvirt does not miss a bridge that is gone; we do.
    pub fn start_network(&self, name: &str) -> Result<()> {
        let what = format!("network {name} cannot be started on host {}", self.name);
        let network = self
            .libvirt
            .connect()?
            .lookup_network_by_name(name)
            .map_err(libvirt::error(what.clone()))?;
        activate(&network).map_err(|e| start_error(e, what))?;
        match self.look_network(network)?.and_then(|ours| ours.read.bridge) {
            Some(bridge) => self.check_bridge(&bridge),
            None => Ok(()),
        }
    }

    fn check_bridge(&self, bridge: &str) -> Result<()> {
        let plain = !matches!(bridge, "" | "." | "..") && bridge.len() < 16 && !bridge.contains('/');
        match plain && Path::new("/sys/class/net").join(bridge).join("bridge").exists() {
            true => Ok(()),
            false => {
                let message = format!("host {} has no bridge `{bridge}`: make it there first", self.name);
                Err(Error::invalid(message).code("no_bridge"))
            }
        }
    }

    fn find_network(&self, id: Uuid) -> Result<Option<Ours>> {
        match self.libvirt.connect()?.lookup_network_by_uuid(id) {
            Ok(network) => self.look_network(network),
            Err(e) if libvirt::is_absent(&e) => Ok(None),
            Err(e) => Err(libvirt::error(format!("network {id} cannot be looked up"))(e)),
        }
    }

    fn look_network(&self, network: Network) -> Result<Option<Ours>> {
        let look = || -> Result<_, virt::error::Error> { Ok((network.uuid()?, network.xml_desc(0)?)) };
        let (id, text) = match look() {
            Err(e) if libvirt::is_absent(&e) => return Ok(None),
            other => other.map_err(libvirt::error("a network cannot be described"))?,
        };
        let read = net::read(&text)?.filter(|read| read.mark.host == self.id);
        Ok(read.map(|read| Ours { id, network, read }))
    }

    fn describe_network(&self, ours: Ours) -> Net {
        Net {
            id: self.reference(ours.id),
            name: ours.read.mark.name,
            token: Some(Token::new(ours.read.mark.token)),
            cidr: ours.read.cidr,
            host: Some(ExternalRef::new(self.id.as_str())),
            leases: ours.read.leases,
        }
    }
}

fn activate(network: &Network) -> Result<(), virt::error::Error> {
    if !network.is_active()? {
        network.create()?;
    }
    match network.autostart()? {
        true => Ok(()),
        false => network.set_autostart(true),
    }
}

fn start_error(below: virt::error::Error, what: String) -> Error {
    let overlaps = below.message().contains("already in use by interface");
    let error = libvirt::error(what)(below);
    match overlaps {
        true => Error {
            kind: contract::Kind::Conflict,
            ..error
        }
        .code("network_overlaps"),
        false => error,
    }
}

fn update(ours: &Ours, command: sys::virNetworkUpdateCommand, xml: &str) -> Result<()> {
    let what = format!("the reservations of network {} cannot be changed", ours.read.mark.name);
    let change = || -> Result<(), virt::error::Error> {
        let live = if ours.network.is_active()? {
            sys::VIR_NETWORK_UPDATE_AFFECT_LIVE
        } else {
            0
        };
        let flags = live | sys::VIR_NETWORK_UPDATE_AFFECT_CONFIG;
        ours.network
            .update(command, sys::VIR_NETWORK_SECTION_IP_DHCP_HOST, -1, xml, flags)
    };
    change().map_err(libvirt::error(what))
}
