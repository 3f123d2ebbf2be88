//! Points in time of a volume.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Call, ExternalRef, Op, Result, Token};

#[async_trait]
pub trait Snapshots: Send + Sync {
    /// The snapshots of one volume, oldest first.
    async fn list(&self, call: &Call, volume: &ExternalRef) -> Result<Vec<SnapshotFacts>>;

    /// The same token twice makes one. `Conflict` when the server runs and the capability `running` is absent.
    async fn create(&self, call: &Call, volume: &ExternalRef, name: &str, token: &Token) -> Result<Op<ExternalRef>>;

    /// Succeeds when it is gone.
    async fn delete(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>>;

    /// Puts the volume back to what it was. The snapshot stays.
    async fn revert(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>>;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFacts {
    pub id: ExternalRef,
    pub name: String,
    pub token: Option<Token>,
}
