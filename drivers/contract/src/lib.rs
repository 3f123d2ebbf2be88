//! What every cloud must promise: the traits, the specs they take, the facts they report, the errors they raise.
//!
//! The numbered rules are in `RULES.md`; `drivers/conformance` has one test for each. A family that a cloud lacks
//! is `None`; no method ever answers "not implemented".

pub mod call;
pub mod capability;
pub mod change;
pub mod compute;
pub mod disk;
pub mod host;
pub mod image;
pub mod network;
pub mod op;
pub mod page;
pub mod site;
pub mod snapshot;

use std::sync::Arc;

use async_trait::async_trait;

pub use call::{Call, Token};
pub use capability::Capabilities;
pub use change::{ChangeFeed, Changes};
pub use compute::{Compute, Machine, MachineSpec};
pub use disk::{Disks, Volume, VolumeSpec};
pub use host::{HostFacts, Hosts};
pub use image::{ImageSpec, Images};
pub use network::{Net, NetworkSpec, Networks};
pub use op::{Op, Progress};
pub use page::{Cursor, Page};
pub use site::Site;
pub use snapshot::{SnapshotFacts, Snapshots};
pub use types::{Error, ExternalRef, Kind, Result};

/// The numbered rules, for the test that pairs each with its proof.
pub const RULES: &str = include_str!("../RULES.md");

/// A kind of cloud: how to reach one, and what its credentials look like.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// The word users write after `--driver`.
    fn kind(&self) -> &'static str;

    /// One sentence for lists and forms.
    fn about(&self) -> &'static str;

    /// JSON Schema of [`Site::credential`]; CLI and console forms come from it. Secrets carry `"writeOnly": true`.
    fn credential_schema(&self) -> serde_json::Value;

    /// Checks the credential against the cloud and learns what it may do.
    ///
    /// Errors: `Invalid` for a malformed credential, `Denied` for a refused one, `Unavailable` when nothing answers.
    async fn connect(&self, call: &Call, site: &Site) -> Result<Arc<dyn Cloud>>;
}

/// A connection: one credential, one set of capabilities. Cheap to share, safe to use from many tasks at once.
#[async_trait]
pub trait Cloud: Send + Sync {
    fn capabilities(&self) -> &Capabilities;

    fn hosts(&self) -> Option<&dyn Hosts> {
        None
    }
    fn compute(&self) -> Option<&dyn Compute> {
        None
    }
    fn disks(&self) -> Option<&dyn Disks> {
        None
    }
    fn networks(&self) -> Option<&dyn Networks> {
        None
    }
    fn images(&self) -> Option<&dyn Images> {
        None
    }
    fn snapshots(&self) -> Option<&dyn Snapshots> {
        None
    }
    fn changes(&self) -> Option<&dyn Changes> {
        None
    }

    /// Looks at an operation that answered [`Op::Pending`], by the handle given there, also after a restart.
    async fn poll(&self, call: &Call, operation: &str) -> Result<Progress>;
}
