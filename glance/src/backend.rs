//! Where contents live: a directory or S3. A content is written once under its key and never changed.

use std::{ops::Range, path::Path};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use types::Result;

pub mod dir;
pub mod s3;

pub use dir::Dir;
pub use s3::S3;

/// Bytes as they come.
pub type Bytestream = BoxStream<'static, Result<Bytes>>;

#[async_trait]
pub trait Backend: Send + Sync {
    /// Stores the file's content under `key`, durably and whole or not at all. May take the file away.
    /// Repeating it is harmless.
    async fn put(&self, key: &str, file: &Path) -> Result<()>;

    /// The bytes of `range`, which lies within the content.
    async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytestream>;

    /// Deleting what is gone succeeds.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Whether contents can be stored and read now; the sentence says what is wrong.
    async fn check(&self) -> Result<()>;
}
