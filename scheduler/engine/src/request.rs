//! What somebody wants placed, how to rank the hosts that fit, and what a placement then takes.
//! Values only: a request may come over the wire, and an unknown field in it is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use types::{AccountId, HostId, NetworkId, Size, StorageId, ZoneId};

use crate::plan::Placement;

/// `count` equal servers. All of them are placed or none; later ones see earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PlacementRequest))]
pub struct Request {
    pub vcpus: u32,
    pub memory: Size,
    pub disks: Vec<Disk>,
    /// Networks the host must reach, all of them.
    pub networks: BTreeSet<NetworkId>,
    pub host: Option<HostId>,
    pub account: Option<AccountId>,
    pub driver: Option<String>,
    pub zone: Option<ZoneId>,
    pub architecture: Option<String>,
    pub hypervisor: Option<String>,
    pub tags: Tags,
    /// Groups each of the servers becomes a member of.
    pub groups: Vec<Group>,
    /// Digest of the image it boots from: hosts that have it cached are preferred.
    pub image: Option<String>,
    pub strategy: Strategy,
    /// Where it ran before.
    pub last_host: Option<HostId>,
    pub count: u32,
    pub weights: Weights,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            vcpus: 1,
            memory: Size::ZERO,
            disks: Vec::new(),
            networks: BTreeSet::new(),
            host: None,
            account: None,
            driver: None,
            zone: None,
            architecture: None,
            hypervisor: None,
            tags: Tags::default(),
            groups: Vec::new(),
            image: None,
            strategy: Strategy::default(),
            last_host: None,
            count: 1,
            weights: Weights::default(),
        }
    }
}

impl Request {
    /// What one placement of this request takes from the host and its storages.
    pub fn demand(&self, placement: &Placement) -> Demand {
        let pieces = placement.storages.iter().zip(&self.disks);
        Demand {
            vcpus: self.vcpus,
            memory: self.memory,
            disks: pieces
                .map(|(&storage, disk)| Piece {
                    storage,
                    size: disk.size,
                })
                .collect(),
            groups: self.groups.iter().map(|group| group.name.clone()).collect(),
        }
    }
}

/// A disk and where it may go; without constraints, on any enabled storage of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PlacementDisk))]
pub struct Disk {
    pub size: Size,
    pub class: Option<String>,
    /// The storage that already holds it or that was asked for.
    pub storage: Option<StorageId>,
    /// Selectors the storage must satisfy.
    pub tags: Vec<String>,
}

/// Selectors over host tags: `gpu` (any value) or `rack=a` (that value).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PlacementTags))]
pub struct Tags {
    pub require: Vec<String>,
    pub prefer: Vec<String>,
    pub avoid: Vec<String>,
    pub exclude: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PlacementGroup))]
pub struct Group {
    pub name: String,
    pub rule: Rule,
}

/// How members of a group want to stand to each other, host by host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PlacementRule))]
pub enum Rule {
    /// Only beside members; the first member goes anywhere.
    Together,
    /// Never beside a member.
    Apart,
    PreferTogether,
    PreferApart,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PlacementStrategy))]
pub enum Strategy {
    /// Fill hosts one after another.
    Pack,
    /// Prefer the emptiest.
    #[default]
    Spread,
}

/// What a full term is worth in points of a thousand; zero switches a term off.
///
/// The defaults rank in this order: last host, then groups and tags, then the cached image, then fullness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PlacementWeights))]
pub struct Weights {
    pub cpu: i32,
    pub memory: i32,
    pub storage: i32,
    pub image: i32,
    /// For each preferred tag the host has.
    pub prefer: i32,
    /// Against the host, for each avoided tag it has.
    pub avoid: i32,
    /// For or against the host, for each member there, up to 100.
    pub group: i32,
    pub last_host: i32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            cpu: 1,
            memory: 1,
            storage: 1,
            image: 4,
            prefer: 10,
            avoid: 10,
            group: 10,
            last_host: 1_000_000,
        }
    }
}

/// What a server takes from its host: charged when it is placed, released when it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Demand {
    pub vcpus: u32,
    pub memory: Size,
    pub disks: Vec<Piece>,
    pub groups: BTreeSet<String>,
}

/// A part of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    pub storage: StorageId,
    pub size: Size,
}
