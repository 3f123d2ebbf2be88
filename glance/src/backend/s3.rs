//! Contents as objects of an S3 bucket. Large ones go up in parts, a few at a time, and appear when all are there.

use std::{ops::Range, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::{
    GetOptions, ObjectStore, ObjectStoreExt, RetryConfig, WriteMultipart,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path as Key,
};
use tokio::io::AsyncReadExt;
use types::{Error, Kind, Result};

use crate::backend::{Backend, Bytestream, dir};

/// The smallest part but the last; S3 wants 5 MiB.
const PART: u64 = 8 << 20;
/// S3 takes 10,000.
const PARTS: u64 = 9_000;
/// Parts in flight: what an upload holds in memory.
const IN_FLIGHT: usize = 3;

/// Where the server is and how to log in; what is absent comes from the `AWS_*` variables.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub access_key: Option<String>,
    pub secret_key: Option<String>,
}

pub struct S3 {
    client: Arc<AmazonS3>,
    prefix: String,
    url: String,
}

impl S3 {
    /// `s3://bucket` or `s3://bucket/prefix`. Does not ask the server.
    pub fn open(url: &str, options: &Options) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "`{url}` is not an image store: write s3://bucket or s3://bucket/prefix"
            ))
        };
        let rest = url.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(wrong());
        }
        let retry = RetryConfig {
            max_retries: 4,
            retry_timeout: Duration::from_secs(30),
            ..RetryConfig::default()
        };
        // The endpoint's own scheme decides whether TLS is used.
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(bucket)
            .with_allow_http(true)
            .with_retry(retry);
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(region) = &options.region {
            builder = builder.with_region(region);
        }
        if let (Some(key), Some(secret)) = (&options.access_key, &options.secret_key) {
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
        }
        let client = builder.build().map_err(|e| {
            Error::invalid("the S3 image store is not configured completely: see the AWS_* variables").because(e)
        })?;
        Ok(Self {
            client: Arc::new(client),
            prefix: prefix.trim_matches('/').to_owned(),
            url: url.to_owned(),
        })
    }

    fn key(&self, key: &str) -> Key {
        Key::from(format!("{}/{key}", self.prefix))
    }

    fn fault(&self, what: &str, error: object_store::Error) -> Error {
        use object_store::Error as E;
        let at = &self.url;
        match &error {
            E::NotFound { .. } => Error::broken(format!("{what}: {at} does not have it")),
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => Error::broken(format!(
                "{what}: {at} refuses our keys: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )),
            _ => Error::new(Kind::Unavailable, format!("{what}: {at} does not answer as it should")),
        }
        .because(error)
    }

    async fn put_parts(&self, key: &Key, mut file: tokio::fs::File, size: u64) -> Result<()> {
        let failed = |e| self.fault("storing an image", e);
        let part = PART.max(size.div_ceil(PARTS));
        let upload = self.client.put_multipart(key).await.map_err(failed)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, usize::try_from(part).unwrap_or(usize::MAX));
        loop {
            // An early stop leaves parts behind that only the server knows; say that they are not wanted.
            let step = async {
                writer.wait_for_capacity(IN_FLIGHT).await.map_err(failed)?;
                next(&mut file, PART).await
            };
            match step.await {
                Ok(bytes) if bytes.is_empty() => break,
                Ok(bytes) => writer.put(bytes),
                Err(error) => {
                    if let Err(again) = writer.abort().await {
                        tracing::warn!(error = %again, "parts of a failed upload stay in {}", self.url);
                    }
                    return Err(error);
                }
            }
        }
        writer.finish().await.map(drop).map_err(failed)
    }
}

/// Up to `most` bytes; empty at the end.
async fn next(file: &mut tokio::fs::File, most: u64) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    let mut part = file.take(most);
    let lost = |e| dir::fault("reading a spooled image", Path::new("spool"), e);
    bytes.reserve(1 << 20);
    while part.read_buf(&mut bytes).await.map_err(lost)? > 0 {}
    Ok(bytes.freeze())
}

#[async_trait]
impl Backend for S3 {
    async fn put(&self, key: &str, path: &Path) -> Result<()> {
        let lost = |e| dir::fault("reading a spooled image", path, e);
        let mut file = tokio::fs::File::open(path).await.map_err(lost)?;
        let size = file.metadata().await.map_err(lost)?.len();
        let key = self.key(key);
        if size > PART {
            return self.put_parts(&key, file, size).await;
        }
        let bytes = next(&mut file, PART).await?;
        let done = self.client.put(&key, bytes.into()).await;
        done.map(drop).map_err(|e| self.fault("storing an image", e))
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytestream> {
        if range.is_empty() {
            return Ok(futures::stream::empty().boxed());
        }
        let options = GetOptions {
            range: Some(range.into()),
            ..GetOptions::default()
        };
        let got = self.client.get_opts(&self.key(key), options).await;
        let got = got.map_err(|e| self.fault("reading a stored image", e))?;
        let url = self.url.clone();
        let lost = move |e| Error::unavailable(format!("{url} stopped in the middle of an image")).because(e);
        Ok(got.into_stream().map_err(lost).boxed())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        match self.client.delete(&self.key(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.fault("removing a stored image", e)),
        }
    }

    async fn check(&self) -> Result<()> {
        match self.client.head(&self.key(".check")).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.fault("asking the image store", e)),
        }
    }
}
