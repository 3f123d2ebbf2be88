//! The image cache: complete files named `<sha512>.<format>`, never changed once there.

use std::path::{Path, PathBuf};

use axum::body::BodyDataStream;
use contract::{Error, ExternalRef, Kind, Result};
use futures::StreamExt;
use sha2::{Digest, Sha512};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::{
    agent::{host, node::Node, qcow2, store},
    wire,
};

/// What a volume can start from.
pub struct Base {
    pub path: PathBuf,
    pub format: String,
    /// Bytes a guest sees.
    pub size: u64,
}

impl Node {
    /// Every image in the cache, as references.
    pub fn images(&self) -> Result<Vec<ExternalRef>> {
        let names = store::names(&self.store.images())?;
        let digests = names
            .iter()
            .filter_map(|name| Some(name.rsplit_once('.').filter(|(_, f)| wire::FORMATS.contains(f))?.0));
        Ok(digests.map(|digest| self.reference(digest)).collect())
    }

    pub fn image(&self, digest: &str) -> Result<ExternalRef> {
        self.base(digest).map(|_| self.reference(digest))
    }

    pub fn base(&self, digest: &str) -> Result<Base> {
        check(digest)?;
        for format in wire::FORMATS {
            let path = self.store.images().join(format!("{digest}.{format}"));
            let Ok(file) = path.metadata() else { continue };
            let size = if format == "qcow2" {
                qcow2::header(&path)?.size
            } else {
                file.len()
            };
            return Ok(Base {
                path,
                format: format.to_owned(),
                size,
            });
        }
        Err(Error::not_found("image", self.reference(digest)))
    }

    pub fn delete_image(&self, digest: &str) -> Result<()> {
        check(digest)?;
        let paths = wire::FORMATS.map(|format| self.store.images().join(format!("{digest}.{format}")));
        for id in self.volume_ids()? {
            let Ok(header) = qcow2::header(&self.store.volume(id)) else {
                continue;
            };
            if header
                .backing
                .is_some_and(|below| paths.iter().any(|path| path.as_os_str() == below.as_str()))
            {
                let message = format!("image {digest} is what disk {id} stands on: delete the disk first");
                return Err(Error::conflict(message).code("image_in_use"));
            }
        }
        paths.iter().try_for_each(|path| store::remove(path))
    }

    /// Takes an image in, hashing as it arrives. Whatever ends early leaves a `.part` behind at most.
    pub async fn receive(&self, digest: &str, format: &str, size: u64, content: BodyDataStream) -> Result<ExternalRef> {
        check(digest)?;
        if !wire::FORMATS.contains(&format) {
            return Err(Error::invalid(format!(
                "this host takes qcow2 and raw images, not {format}"
            )));
        }
        if self.base(digest).is_ok() {
            return Ok(self.reference(digest));
        }
        let room = host::room(&self.store.images())?;
        if size.saturating_add(host::LEAST_FREE) > room.free {
            let message = format!("host {} has no room for an image of {size} bytes", self.name);
            return Err(Error::new(Kind::Capacity, message).code("pool_full"));
        }
        // Two uploads of one image do not write to one file; the later rename wins with the same content.
        let part = self
            .store
            .images()
            .join(format!("{digest}.{}.part", Uuid::new_v4().simple()));
        let done = match write(&part, digest, size, content).await {
            Ok(()) => self.keep(&part, digest, format),
            Err(error) => Err(error),
        };
        if done.is_err() {
            store::remove(&part)?;
        }
        done.map(|()| self.reference(digest))
    }

    fn keep(&self, part: &Path, digest: &str, format: &str) -> Result<()> {
        if format == "qcow2" {
            qcow2::self_contained(part)?;
        }
        store::commit(part, &self.store.images().join(format!("{digest}.{format}")))
    }
}

async fn write(part: &Path, digest: &str, size: u64, mut content: BodyDataStream) -> Result<()> {
    let failed = |e| store::failed("write", part, e);
    let file = tokio::fs::File::create(part).await.map_err(failed)?;
    let mut file = tokio::io::BufWriter::with_capacity(1 << 20, file);
    let (mut hash, mut seen) = (Sha512::new(), 0u64);
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(|e| Error::unavailable("the upload of an image broke off").because(e))?;
        seen += chunk.len() as u64;
        if seen > size {
            return Err(
                Error::invalid(format!("the image is longer than the {size} bytes announced")).code("bad_image"),
            );
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    let found = hex::encode(hash.finalize());
    if seen != size || found != digest {
        let message =
            format!("the image that arrived is not the one announced: {seen} of {size} bytes, SHA-512 {found}");
        return Err(Error::invalid(message).code("bad_digest"));
    }
    Ok(())
}

/// A digest becomes a file name.
fn check(digest: &str) -> Result<()> {
    let fits = digest.len() == 128 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match fits {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "`{digest}` is not a SHA-512 in lower-case hexadecimal"
        ))),
    }
}
