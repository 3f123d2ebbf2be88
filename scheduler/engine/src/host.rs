//! What is known about a host and about a storage: facts, as the rows of the region state them.
//! Nothing here decides anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::{AccountId, HostId, NetworkId, StorageId, ZoneId, states};

/// A host and what is taken of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub id: HostId,
    /// For explanations only; choices depend on the id.
    pub name: String,
    pub zone: Option<ZoneId>,
    pub account: AccountId,
    /// Kind of driver of the account: `kvm`, `sim`, ...
    pub driver: String,
    pub hypervisor: String,
    pub architecture: String,
    /// Only a ready host that is enabled takes new servers.
    pub state: states::Host,
    pub enabled: bool,
    pub tags: BTreeMap<String, String>,
    /// In vcpus.
    pub vcpus: Amount,
    /// In bytes.
    pub memory: Amount,
    /// Storages it can put disks on; several hosts may share one.
    pub storages: BTreeSet<StorageId>,
    pub networks: BTreeSet<NetworkId>,
    /// Digests of images in its cache.
    pub images: BTreeSet<String>,
    /// Members of each affinity group that are on it.
    pub groups: BTreeMap<String, u32>,
}

impl Host {
    pub fn takes_servers(&self) -> bool {
        self.state == states::Host::Ready && self.enabled
    }
}

/// A place for disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    pub id: StorageId,
    pub name: String,
    pub class: String,
    pub tags: BTreeMap<String, String>,
    pub enabled: bool,
    /// In bytes.
    pub space: Amount,
}

/// How much of one resource there is and how much of it is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub total: i64,
    /// Kept back for the host itself.
    pub reserved: i64,
    pub used: i64,
    /// Overcommit in thousandths: 1000 promises what is there, 4000 four times that.
    pub ratio: u32,
}

impl Amount {
    /// `total` without reserve or overcommit, nothing used.
    pub const fn of(total: i64) -> Self {
        Self {
            total,
            reserved: 0,
            used: 0,
            ratio: 1000,
        }
    }

    /// What may be claimed in all: overcommit applies to what is not reserved.
    pub fn limit(&self) -> i64 {
        scale(self.total.saturating_sub(self.reserved).max(0), self.ratio.into(), 1000)
    }

    /// What may still be claimed; negative when the limit was lowered below what is used.
    pub fn free(&self) -> i64 {
        self.limit().saturating_sub(self.used)
    }
}

/// `n * by / of`, rounded towards zero, without overflow on the way and cheap when none threatens.
pub(crate) fn scale(n: i64, by: i64, of: i64) -> i64 {
    match n.checked_mul(by) {
        Some(product) => product / of,
        None => i64::try_from(i128::from(n) * i128::from(by) / i128::from(of)).unwrap_or(i64::MAX),
    }
}

/// Whether `tags` satisfy a selector: `gpu` (any value) or `rack=a` (that value).
pub(crate) fn has_tag(tags: &BTreeMap<String, String>, selector: &str) -> bool {
    match selector.split_once('=') {
        Some((key, value)) => tags.get(key).is_some_and(|v| v == value),
        None => tags.contains_key(selector),
    }
}
