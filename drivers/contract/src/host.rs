//! Machines that carry servers, where the cloud shows them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::Size;

use crate::{Call, Cursor, ExternalRef, Page, Result};

#[async_trait]
pub trait Hosts: Send + Sync {
    /// Every host of the account. One that does not answer is listed with `reachable: false`, not left out.
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<HostFacts>>;

    async fn get(&self, call: &Call, host: &ExternalRef) -> Result<HostFacts>;
}

/// What a host has and lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    pub id: ExternalRef,
    pub name: String,
    pub reachable: bool,
    /// For example `x86_64`.
    pub architecture: String,
    /// `kvm`, `qemu` (emulation), `esxi`, `sim`.
    pub hypervisor: String,
    pub zone: Option<String>,
    pub vcpus: u32,
    pub memory: Size,
    pub storages: Vec<StorageFacts>,
    /// Missing prerequisites in plain words; a host with any is not ready.
    pub faults: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageFacts {
    pub name: String,
    /// `dir`, `lvm`, `rbd`, ...
    pub backend: String,
    pub capacity: Size,
    /// What is taken by anyone, also by files that are not ours.
    pub used: Size,
}
