//! What the engine answers: where things go and why, or why they go nowhere.
//! Values that travel; the sentence a person reads is in `plan/sentence.rs`.

mod sentence;

pub(crate) use sentence::{Round, amount};

use serde::{Deserialize, Serialize};
use types::{HostId, StorageId};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// One placement for each of the request's `count`, in the order they were decided.
    Placed(Vec<Placement>),
    /// Not all of them fit, so none is placed.
    NoFit(Explanation),
}

/// One server's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    pub host: HostId,
    pub name: String,
    /// For each disk of the request, in its order.
    pub storages: Vec<StorageId>,
    /// Sum of the points; the highest wins, among equals the lowest host id.
    pub score: i64,
    /// Terms that counted, in the order of [`Term`].
    pub why: Vec<Points>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Points {
    pub term: Term,
    pub points: i64,
}

/// What is liked or disliked about a host; each has its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    LastHost,
    Group,
    PreferredTags,
    AvoidedTags,
    ImageCached,
    Cpu,
    Memory,
    Storage,
}

/// Why hosts were ruled out, filter by filter in the order they were applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Hosts in the snapshot.
    pub considered: u32,
    /// Hosts that are left after all filters.
    pub fit: u32,
    pub wanted: u32,
    /// How many of the wanted ones had found a place before no host was left.
    pub placed: u32,
    /// Filters that removed something; each counts only hosts that passed those before it.
    pub removed: Vec<Removed>,
    /// Hosts that lack least: those in the place asked for first, then by number of filters, shortage and id.
    pub nearest: Vec<Miss>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    pub filter: Filter,
    pub hosts: u32,
    /// For cpu, memory and storage: who came closest.
    pub nearest: Option<Miss>,
}

/// A host and everything it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    pub host: HostId,
    pub name: String,
    pub lacks: Vec<Lack>,
}

/// What was asked for and what there is, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    pub filter: Filter,
    pub needs: String,
    pub has: String,
}

/// In the order they are applied: what was asked for by name, then kind, then numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    Host,
    Account,
    Driver,
    Zone,
    Ready,
    Architecture,
    Hypervisor,
    Network,
    Tags,
    Affinity,
    Cpu,
    Memory,
    Storage,
}

impl Filter {
    /// Those that read numbers; they run on what the bitmaps leave.
    pub const NUMBERS: [Self; 3] = [Self::Cpu, Self::Memory, Self::Storage];

    /// Whether it says where to look; a host elsewhere is never near, whatever it has.
    pub const fn is_place(self) -> bool {
        matches!(self, Self::Host | Self::Account | Self::Driver | Self::Zone)
    }
}
