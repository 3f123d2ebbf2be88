//! Networks and the addresses handed out on them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Call, Cursor, ExternalRef, Op, Page, Result, Token, site::Place};

#[async_trait]
pub trait Networks: Send + Sync {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Net>>;

    /// Makes the network where `place` says, or finds it there. The same token twice makes one per place.
    async fn create(&self, call: &Call, spec: &NetworkSpec, place: &Place, token: &Token) -> Result<Op<ExternalRef>>;

    /// `Conflict` while servers use it. Succeeds when it is gone.
    async fn delete(&self, call: &Call, network: &ExternalRef) -> Result<Op<()>>;

    /// Makes the network answer this card with this address. Repeating it succeeds.
    async fn reserve(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()>;

    /// Succeeds when there is no such reservation or no such network.
    async fn release(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()>;
}

/// What a new network should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    pub name: String,
    /// For example `10.0.0.0/24`.
    pub cidr: String,
    pub gateway: String,
    pub mode: Mode,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Mode {
    /// Guests reach out through the host's address; nothing outside reaches in.
    Nat,
    /// Guests sit on an existing bridge of the host; addresses come from outside or from the seed.
    Bridge { bridge: String },
}

/// A card and its address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub mac: String,
    pub address: String,
    pub hostname: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Net {
    pub id: ExternalRef,
    pub name: String,
    pub token: Option<Token>,
    pub cidr: Option<String>,
    pub host: Option<ExternalRef>,
    pub leases: Vec<Lease>,
}
