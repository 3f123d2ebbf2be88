//! Block volumes.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::Size;

use crate::{Call, Cursor, ExternalRef, Op, Page, Result, Token, site::Place};

#[async_trait]
pub trait Disks: Send + Sync {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Volume>>;

    async fn get(&self, call: &Call, volume: &ExternalRef) -> Result<Volume>;

    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Volume>>;

    /// The same token twice makes one. `Capacity` when the pool is full.
    async fn create(&self, call: &Call, spec: &VolumeSpec, token: &Token) -> Result<Op<ExternalRef>>;

    /// `Conflict` while it is attached. Succeeds when it is gone.
    async fn delete(&self, call: &Call, volume: &ExternalRef) -> Result<Op<()>>;

    /// Grows to `size`; the same or a smaller size than it has is `Invalid` unless equal, which succeeds.
    async fn resize(&self, call: &Call, volume: &ExternalRef, size: Size) -> Result<Op<()>>;

    /// Puts the content of an image in place of the volume's own, for a rebuild. The volume keeps its id.
    /// `Conflict` while its server runs, or while it has snapshots, which would be lost.
    async fn rebuild(&self, call: &Call, volume: &ExternalRef, image: &ExternalRef) -> Result<Op<()>>;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    pub name: String,
    pub place: Place,
    pub size: Size,
    /// Start from this image, as [`crate::Images::upload`] named it.
    pub image: Option<ExternalRef>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    pub id: ExternalRef,
    pub name: String,
    pub token: Option<Token>,
    pub size: Size,
    pub host: Option<ExternalRef>,
    pub attached_to: Option<ExternalRef>,
}
