//! Servers as libvirt domains. The uuid comes from the token and the token is in the metadata, so libvirt alone
//! is enough to find again what was made.

use std::collections::HashMap;

use contract::{
    Error, ExternalRef, Machine, MachineSpec, Result, Token,
    compute::{Shape, Sign, Stop},
    network::Lease,
    page::Skipped,
};
use types::states::Power;
use uuid::Uuid;
use virt::{domain::Domain, sys};

use crate::{
    agent::{
        check,
        domain::{self, Plan},
        libvirt,
        node::{self, Node},
        power, seed, store,
        xml::Mark,
    },
    wire::Listing,
};

/// Reservations by network.
type Leases = HashMap<String, Vec<Lease>>;

/// A domain of ours.
pub struct Ours {
    pub id: Uuid,
    pub domain: Domain,
    pub read: domain::Read,
}

impl Node {
    pub fn machines(&self) -> Result<Listing<Machine>> {
        let (mut items, mut skipped, mut seen) = (Vec::new(), Vec::new(), Leases::new());
        for ours in self.domains()? {
            match self.describe(&ours, &mut seen) {
                Ok(machine) => items.push(machine),
                Err(error) => skipped.push(Skipped {
                    item: self.reference(ours.id).to_string(),
                    reason: error.chain(),
                }),
            }
        }
        Ok(Listing { items, skipped })
    }

    pub fn machine(&self, id: Uuid) -> Result<Machine> {
        self.describe(&self.domain(id)?, &mut Leases::new())
    }

    pub fn machine_of(&self, token: &Token) -> Result<Option<Machine>> {
        self.find_domain(node::id("machine", token)?)?
            .map(|ours| self.describe(&ours, &mut Leases::new()))
            .transpose()
    }

    /// The seed is written first and the definition is one step: killed in between, nothing but a stray seed
    /// remains, which the next attempt overwrites and the next start sweeps.
    pub fn create_machine(&self, spec: &MachineSpec, token: &Token) -> Result<ExternalRef> {
        let id = node::id("machine", token)?;
        if self.find_domain(id)?.is_none() {
            let mark = Mark {
                host: self.id.clone(),
                token: token.to_string(),
                name: spec.name.clone(),
            };
            let plan = self.plan(id, spec, mark)?;
            store::write(&self.store.seed(id), &seed::image(&spec.seed)?)?;
            let connection = self.libvirt.connect()?;
            let what = format!("server {} cannot be defined", spec.name);
            connection
                .define_domain_xml(&domain::write(&plan))
                .map_err(libvirt::error(what))?;
        }
        Ok(self.reference(id))
    }

    fn plan<'a>(&self, id: Uuid, spec: &'a MachineSpec, mark: Mark) -> Result<Plan<'a>> {
        check::machine(spec)?;
        self.check_name(id, &spec.name)?;
        let mut disks = Vec::new();
        for reference in &spec.disks {
            let volume = self.local_uuid("disk", reference)?;
            disks.push(self.free_volume(volume, id)?.display().to_string());
        }
        let mut nics = Vec::new();
        for nic in &spec.nics {
            let network = self.network(self.local_uuid("network", &nic.network)?)?;
            nics.push((nic.mac.clone(), network.read.name));
        }
        Ok(Plan {
            uuid: id.to_string(),
            name: check::domain_name(&spec.name, id),
            mark,
            tags: &spec.tags,
            accel: self.accel.accel,
            shape: spec.shape,
            disks,
            nics,
            seed: self.store.seed(id).display().to_string(),
            console: self.store.console(id).display().to_string(),
        })
    }

    /// Guests see each other by name, and people tell them apart by it.
    fn check_name(&self, id: Uuid, name: &str) -> Result<()> {
        match self
            .domains()?
            .iter()
            .find(|other| other.read.mark.name == name && other.id != id)
        {
            Some(other) => Err(Error::conflict(format!(
                "host {} has a server {name} already: {}",
                self.name, other.id
            ))
            .code("name_taken")),
            None => Ok(()),
        }
    }

    pub fn delete_machine(&self, id: Uuid) -> Result<()> {
        if let Some(ours) = self.find_domain(id)? {
            let flags = sys::VIR_DOMAIN_UNDEFINE_NVRAM
                | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                | sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE;
            self.power_off(&ours)?;
            let what = format!("server {} cannot be removed", ours.read.mark.name);
            match ours.domain.undefine_flags(flags) {
                Err(e) if !libvirt::is_absent(&e) => return Err(libvirt::error(what)(e)),
                _ => {}
            }
        }
        store::remove(&self.store.seed(id))?;
        self.forget_console(id)
    }

    pub fn start(&self, id: Uuid) -> Result<()> {
        let ours = self.domain(id)?;
        if active(&ours)? {
            return Ok(());
        }
        for (_, network) in &ours.read.nics {
            self.start_network(network)?;
        }
        let what = format!("server {} cannot be started", ours.read.mark.name);
        ours.domain.create().map_err(libvirt::error(what))
    }

    pub fn stop(&self, id: Uuid, how: Stop) -> Result<()> {
        let ours = self.domain(id)?;
        if how == Stop::Hard || !active(&ours)? {
            return self.power_off(&ours);
        }
        let what = format!("server {} cannot be asked to stop", ours.read.mark.name);
        let asked = ours.domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
        // The guest may have gone between the question and the request.
        asked.or_else(|e| {
            if active(&ours)? {
                Err(libvirt::error(what)(e))
            } else {
                Ok(())
            }
        })
    }

    pub fn reboot(&self, id: Uuid, how: Stop) -> Result<()> {
        let ours = self.domain(id)?;
        if !active(&ours)? {
            let message = format!(
                "server {} does not run, so it cannot be rebooted: start it",
                ours.read.mark.name
            );
            return Err(Error::conflict(message).code("not_running"));
        }
        let done = match how {
            Stop::Hard => ours.domain.reset(),
            Stop::Soft => ours.domain.reboot(sys::VIR_DOMAIN_REBOOT_ACPI_POWER_BTN),
        };
        done.map_err(libvirt::error(format!(
            "server {} cannot be rebooted",
            ours.read.mark.name
        )))
    }

    pub fn resize(&self, id: Uuid, shape: Shape) -> Result<()> {
        let ours = self.domain(id)?;
        if ours.read.shape == shape {
            return Ok(());
        }
        check::shape(shape)?;
        if active(&ours)? {
            let message = format!("server {} runs; stop it before it is resized", ours.read.mark.name);
            return Err(Error::conflict(message).code("server_running"));
        }
        let what = format!("server {} cannot be resized", ours.read.mark.name);
        let text = ours
            .domain
            .xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)
            .map_err(libvirt::error(what.clone()))?;
        let connection = self.libvirt.connect()?;
        connection
            .define_domain_xml(&domain::with_shape(&text, shape)?)
            .map(drop)
            .map_err(libvirt::error(what))
    }

    fn power_off(&self, ours: &Ours) -> Result<()> {
        match ours.domain.destroy() {
            Err(e) if active(ours)? => Err(libvirt::error(format!(
                "server {} cannot be switched off",
                ours.read.mark.name
            ))(e)),
            _ => Ok(()),
        }
    }

    /// Every domain of ours; those of others, and those that vanish while we look, are left out.
    pub fn domains(&self) -> Result<Vec<Ours>> {
        let connection = self.libvirt.connect()?;
        let all = connection
            .list_all_domains(0)
            .map_err(libvirt::error("the servers cannot be listed"))?;
        let mut found = Vec::new();
        for domain in all {
            found.extend(self.look(domain)?);
        }
        Ok(found)
    }

    pub fn domain(&self, id: Uuid) -> Result<Ours> {
        self.find_domain(id)?
            .ok_or_else(|| Error::not_found("server", self.reference(id)))
    }

    fn find_domain(&self, id: Uuid) -> Result<Option<Ours>> {
        match self.libvirt.connect()?.lookup_domain_by_uuid(id) {
            Ok(domain) => self.look(domain),
            Err(e) if libvirt::is_absent(&e) => Ok(None),
            Err(e) => Err(libvirt::error(format!("server {id} cannot be looked up"))(e)),
        }
    }

    fn look(&self, domain: Domain) -> Result<Option<Ours>> {
        let look = || -> Result<_, virt::error::Error> { Ok((domain.uuid()?, domain.xml_desc(0)?)) };
        let (id, text) = match look() {
            Err(e) if libvirt::is_absent(&e) => return Ok(None),
            other => other.map_err(libvirt::error("a server cannot be described"))?,
        };
        let read = domain::read(&text)?.filter(|read| read.mark.host == self.id);
        Ok(read.map(|read| Ours { id, domain, read }))
    }

    fn describe(&self, ours: &Ours, seen: &mut Leases) -> Result<Machine> {
        let power = power::of(&ours.domain)?;
        if power == Power::Missing {
            return Err(Error::not_found("server", self.reference(ours.id)));
        }
        let disks = ours.read.disks.iter().filter_map(|(_, path)| self.volume_at(path));
        Ok(Machine {
            id: self.reference(ours.id),
            name: ours.read.mark.name.clone(),
            token: Some(Token::new(ours.read.mark.token.as_str())),
            power,
            host: Some(ExternalRef::new(self.id.as_str())),
            shape: ours.read.shape,
            disks: disks.map(|id| self.reference(id)).collect(),
            addresses: self.addresses(ours, seen)?,
            sign: (power == Power::On).then(|| sign(ours)).flatten(),
        })
    }

    /// What the networks of this host have reserved for its cards. `seen` keeps what each network said.
    fn addresses(&self, ours: &Ours, seen: &mut Leases) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (mac, network) in &ours.read.nics {
            if !seen.contains_key(network) {
                seen.insert(network.clone(), self.leases_on(network)?);
            }
            let own = seen[network].iter().filter(|lease| lease.mac.eq_ignore_ascii_case(mac));
            found.extend(own.map(|lease| lease.address.clone()));
        }
        Ok(found)
    }
}

/// Whether the guest has sent anything on its cards. The host makes their ends anew with each power-on, so what they
/// counted is of this one; firmware sends nothing, because it boots from the first disk or not at all (ADR 0008).
fn sign(ours: &Ours) -> Option<Sign> {
    let mut sign = None;
    for (mac, _) in &ours.read.nics {
        match ours.domain.interface_stats(mac) {
            Ok(counted) if counted.tx_packets > 0 => return Some(Sign::Given),
            Ok(_) => sign = Some(Sign::Awaited),
            // It was switched off meanwhile, or its network counts nothing: then nobody can tell.
            Err(error) => {
                tracing::debug!(server = ours.read.mark.name, mac, %error, "a card's counters cannot be read")
            }
        }
    }
    sign
}

pub fn active(ours: &Ours) -> Result<bool> {
    match ours.domain.is_active() {
        Err(e) if libvirt::is_absent(&e) => Ok(false),
        other => other.map_err(libvirt::error(format!(
            "server {} cannot be looked at",
            ours.read.mark.name
        ))),
    }
}
