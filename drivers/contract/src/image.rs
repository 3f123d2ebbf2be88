//! Images on the cloud's side: where volumes start from.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use types::Size;

use crate::{Call, ExternalRef, Result, site::Place};

#[async_trait]
pub trait Images: Send + Sync {
    /// The image with this digest at this place, if it is there already.
    async fn find(&self, call: &Call, place: &Place, digest: &str) -> Result<Option<ExternalRef>>;

    /// Stores it. The content is hashed as it arrives; a digest that differs is `Invalid` and nothing is kept.
    /// Not retried by the layers, since a stream can be read once only: whoever has the source calls again.
    async fn upload(
        &self,
        call: &Call,
        spec: &ImageSpec,
        place: &Place,
        content: BoxStream<'static, Result<Bytes>>,
    ) -> Result<ExternalRef>;

    /// `Conflict` while volumes stand on it. Succeeds when it is gone.
    async fn delete(&self, call: &Call, image: &ExternalRef) -> Result<()>;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSpec {
    pub name: String,
    /// Lower-case hexadecimal SHA-512 of the content.
    pub digest: String,
    /// `qcow2`, `raw`, ...
    pub format: String,
    pub size: Size,
}
