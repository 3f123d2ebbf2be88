//! What exists on a simulated cloud, and the changes that made it so. Pure data: no clock, no file.
//!
//! A journal line is a list of [`Change`]s that happen together; a world is what all lines so far add up to.

use std::collections::{BTreeMap, BTreeSet};

use contract::{
    Kind, Token,
    compute::{Nic, Seed, Shape},
    network::{Lease, Mode},
};
use serde::{Deserialize, Serialize};
use types::{Size, states::Power};

/// Keys are ids; ids grow, so their order is the order of creation.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// How many lines the journal has.
    pub serial: u64,
    pub hosts: BTreeMap<String, Host>,
    pub machines: BTreeMap<String, Machine>,
    pub volumes: BTreeMap<String, Volume>,
    pub networks: BTreeMap<String, Network>,
    pub images: BTreeMap<String, Image>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub operations: BTreeMap<String, Operation>,
    /// What each token did, by [`Effect::key`].
    pub effects: BTreeMap<String, Effect>,
    pub failures: Vec<Failure>,
    /// Servers that are gone: their host, and the line that removed them.
    pub gone: BTreeMap<String, (String, u64)>,
    /// Hosts that were taken out; a new connection does not make them again.
    pub(crate) left: BTreeSet<String>,
    pub(crate) used: BTreeMap<String, Used>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub id: String,
    pub name: String,
    pub reachable: bool,
    pub vcpus: u32,
    pub overcommit: u32,
    pub memory: Size,
    pub disk: Size,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub id: String,
    pub name: String,
    pub token: Token,
    pub host: String,
    pub shape: Shape,
    pub disks: Vec<String>,
    pub nics: Vec<Nic>,
    pub seed: Seed,
    pub tags: Vec<(String, String)>,
    pub power: Power,
    /// A change of power that is under way.
    pub turn: Option<Turn>,
    pub boots: u32,
    /// When its power was last turned on, in milliseconds since 1970.
    #[serde(default)]
    pub on_at: u64,
    /// Its guest does not listen to the power button.
    pub deaf: bool,
    /// The line that last changed it.
    #[serde(skip)]
    pub changed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    pub to: Power,
    /// Milliseconds since 1970.
    pub at: u64,
}

impl Machine {
    pub fn power(&self, now: u64) -> Power {
        match self.turn {
            Some(turn) if turn.at <= now => turn.to,
            _ => self.power,
        }
    }

    /// What its power is or is about to be.
    pub fn heading(&self) -> Power {
        self.turn.map_or(self.power, |turn| turn.to)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    pub id: String,
    pub name: String,
    pub token: Token,
    pub host: String,
    pub size: Size,
    pub image: Option<String>,
    /// Stands for the bytes on it.
    pub content: String,
    pub attached_to: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub token: Token,
    pub host: Option<String>,
    pub cidr: String,
    pub gateway: String,
    pub mode: Mode,
    pub leases: Vec<Lease>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub digest: String,
    pub format: String,
    pub size: Size,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    pub name: String,
    pub token: Token,
    pub volume: String,
    pub size: Size,
    pub content: String,
}

/// Something slow that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub id: String,
    pub method: String,
    /// What it is done to.
    pub subject: String,
    pub begun: u64,
    pub ends: u64,
    pub value: serde_json::Value,
}

/// Calls that are going to fail, set by a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// `None` strikes any method.
    pub method: Option<String>,
    pub left: u32,
    pub side: Side,
    pub kind: Kind,
}

/// On which side of its effect a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    Before,
    /// It was done; the answer is lost.
    After,
}

/// What one token did in one family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    pub made: u32,
    pub deleted: u32,
    /// The thing it made, while that exists.
    pub live: Option<String>,
}

impl Effect {
    /// For a network, `token` is followed by `@` and its host.
    pub fn key(family: &str, token: &str) -> String {
        format!("{family}/{token}")
    }
}

/// What is taken of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub vcpus: u64,
    pub memory: u64,
    pub disk: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Host(Host),
    HostGone(String),
    Machine(Machine),
    MachineGone(String),
    Volume(Volume),
    VolumeGone(String),
    Network(Network),
    NetworkGone(String),
    Image(Image),
    ImageGone(String),
    Snapshot(Snapshot),
    SnapshotGone(String),
    Operation(Operation),
    Failures(Vec<Failure>),
    Made { key: String, id: String },
    Deleted { key: String },
}

impl World {
    /// One line of the journal.
    pub(crate) fn apply(&mut self, line: Vec<Change>) {
        self.serial += 1;
        for change in line {
            self.apply_one(change);
        }
    }

    fn apply_one(&mut self, change: Change) {
        match change {
            Change::Host(row) => drop(self.hosts.insert(row.id.clone(), row)),
            Change::HostGone(id) => {
                self.hosts.remove(&id);
                self.left.insert(id);
            }
            Change::Machine(row) => self.put_machine(row),
            Change::MachineGone(id) => self.drop_machine(&id),
            Change::Volume(row) => {
                let (host, size) = (row.host.clone(), row.size);
                let old = self.volumes.insert(row.id.clone(), row);
                self.count_disk(old, Some((host, size)));
            }
            Change::VolumeGone(id) => {
                let old = self.volumes.remove(&id);
                self.count_disk(old, None);
            }
            Change::Network(row) => drop(self.networks.insert(row.id.clone(), row)),
            Change::NetworkGone(id) => drop(self.networks.remove(&id)),
            Change::Image(row) => drop(self.images.insert(row.id.clone(), row)),
            Change::ImageGone(id) => drop(self.images.remove(&id)),
            Change::Snapshot(row) => drop(self.snapshots.insert(row.id.clone(), row)),
            Change::SnapshotGone(id) => drop(self.snapshots.remove(&id)),
            Change::Operation(row) => drop(self.operations.insert(row.id.clone(), row)),
            Change::Failures(failures) => self.failures = failures,
            Change::Made { key, id } => {
                let effect = self.effects.entry(key).or_default();
                effect.made += 1;
                effect.live = Some(id);
            }
            Change::Deleted { key } => {
                let effect = self.effects.entry(key).or_default();
                effect.deleted += 1;
                effect.live = None;
            }
        }
    }

    fn put_machine(&mut self, mut row: Machine) {
        row.changed = self.serial;
        let used = self.used.entry(row.host.clone()).or_default();
        used.vcpus += u64::from(row.shape.vcpus);
        used.memory += row.shape.memory.as_bytes();
        if let Some(old) = self.machines.insert(row.id.clone(), row) {
            self.uncount(&old);
        }
    }

    fn drop_machine(&mut self, id: &str) {
        if let Some(old) = self.machines.remove(id) {
            self.uncount(&old);
            self.gone.insert(old.id, (old.host, self.serial));
        }
    }

    fn uncount(&mut self, old: &Machine) {
        let used = self.used.entry(old.host.clone()).or_default();
        used.vcpus -= u64::from(old.shape.vcpus);
        used.memory -= old.shape.memory.as_bytes();
    }

    fn count_disk(&mut self, old: Option<Volume>, new: Option<(String, Size)>) {
        if let Some((host, size)) = new {
            self.used.entry(host).or_default().disk += size.as_bytes();
        }
        if let Some(old) = old {
            self.used.entry(old.host).or_default().disk -= old.size.as_bytes();
        }
    }

    /// What this token made and still exists.
    pub fn live(&self, family: &str, token: &str) -> Option<&str> {
        self.effects.get(&Effect::key(family, token))?.live.as_deref()
    }
}
