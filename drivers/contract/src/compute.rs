//! Servers on a cloud.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{Size, states::Power};

use crate::{Call, Cursor, ExternalRef, Op, Page, Result, Token, site::Place};

#[async_trait]
pub trait Compute: Send + Sync {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Machine>>;

    /// `NotFound` when the cloud does not have it.
    async fn get(&self, call: &Call, machine: &ExternalRef) -> Result<Machine>;

    /// What an earlier create with this token made, if anything.
    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Machine>>;

    /// Makes a stopped server. The same token twice makes one.
    async fn create(&self, call: &Call, spec: &MachineSpec, token: &Token) -> Result<Op<ExternalRef>>;

    /// Deletes it in whatever state it is. Its disks stay, unless the cloud made them with it. Succeeds when it is gone.
    async fn delete(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>>;

    /// Starting what runs, or stopping what is stopped, succeeds.
    async fn start(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>>;

    /// [`Stop::Soft`] asks the guest and answers at once; whoever asked looks at the power state afterwards.
    async fn stop(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>>;

    async fn reboot(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>>;

    /// `Conflict` when it runs and the capability `resize_running` is absent.
    async fn resize(&self, call: &Call, machine: &ExternalRef, shape: Shape) -> Result<Op<()>>;

    /// Attaching what is attached, or detaching what is not, succeeds.
    async fn attach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>>;

    async fn detach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>>;

    /// The last `limit` bytes the guest wrote to its console; text that is not UTF-8 is replaced.
    async fn console_log(&self, call: &Call, machine: &ExternalRef, limit: usize) -> Result<String>;
}

/// How much force a stop may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// Ask the guest by ACPI or the cloud's equivalent.
    Soft,
    /// Cut the power.
    Hard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub vcpus: u32,
    pub memory: Size,
}

/// What a new server should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineSpec {
    /// Unique in the account; also the guest's host name.
    pub name: String,
    pub place: Place,
    pub shape: Shape,
    /// In order; the first is booted from.
    pub disks: Vec<ExternalRef>,
    pub nics: Vec<Nic>,
    pub seed: Seed,
    /// Shown on the cloud where it has tags or metadata.
    pub tags: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    pub network: ExternalRef,
    /// Lower-case, colon separated.
    pub mac: String,
    pub address: Option<String>,
}

/// What cloud-init gets (NoCloud: <https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    pub instance_id: String,
    pub hostname: String,
    pub ssh_keys: Vec<String>,
    /// As the user gave it: `#cloud-config`, a script, or nothing.
    pub user_data: Option<String>,
    /// Netplan version 2, when the guest must not rely on DHCP.
    pub network_config: Option<String>,
}

/// Whether a running guest has shown that it lives.
///
/// A sign is something that only the guest's own system does, and that a power-off forgets. It says that the system
/// came up, not that what it serves is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sign {
    /// None since the power was turned on.
    Awaited,
    Given,
}

/// A server as the cloud shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub id: ExternalRef,
    pub name: String,
    /// The token it was created with, when we created it.
    pub token: Option<Token>,
    pub power: Power,
    pub host: Option<ExternalRef>,
    pub shape: Shape,
    pub disks: Vec<ExternalRef>,
    /// Addresses the cloud or the guest reports.
    pub addresses: Vec<String>,
    /// `None` when it is off, or when the cloud cannot tell.
    #[serde(default)]
    pub sign: Option<Sign>,
}
