//! The image cache: complete files named `<sha512>.<format>`, never changed once there.

use std::path::{Path, PathBuf};

use axum::body::BodyDataStream;
use contract::{Error, ExternalRef, Kind, Result};
use futures::StreamExt;
use sha2::{Digest, Sha512};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::{
    agent::{blocking, host, node::Node, qcow2, store},
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

    /// Takes an image in, hashing as it arrives. Whatever ends early leaves nothing; killed, a `.part` at most.
    pub async fn receive(&self, digest: &str, format: &str, size: u64, content: BodyDataStream) -> Result<ExternalRef> {
        check(digest)?;
        // One upload of an image at a time: those who waited find it there.
        let _held = self.locks.hold([self.reference(digest).to_string()]).await;
        if self.base(digest).is_ok() {
            drain(content).await; // or the sender would see a broken pipe instead of the answer
            return Ok(self.reference(digest));
        }
        if let Err(error) = self.accepts(format, size) {
            drain(content).await;
            return Err(error);
        }
        let part = Part(
            self.store
                .images()
                .join(format!("{digest}.{}.part", Uuid::new_v4().simple())),
        );
        write(&part.0, digest, size, content).await?;
        let place = self.store.images().join(format!("{digest}.{format}"));
        blocking(move || part.keep(&place)).await?;
        Ok(self.reference(digest))
    }

    fn accepts(&self, format: &str, size: u64) -> Result<()> {
        if !wire::FORMATS.contains(&format) {
            return Err(Error::invalid(format!(
                "this host takes qcow2 and raw images, not {format}"
            )));
        }
        let room = host::room(&self.store.images())?;
        match size.saturating_add(host::LEAST_FREE) > room.free {
            true => {
                let message = format!("host {} has no room for an image of {size} bytes", self.name);
                Err(Error::new(Kind::Capacity, message).code("pool_full"))
            }
            false => Ok(()),
        }
    }
}

/// A file that is removed unless it is kept.
struct Part(PathBuf);

impl Part {
    fn keep(self, place: &Path) -> Result<()> {
        if place.extension().is_some_and(|format| format == "qcow2") {
            qcow2::self_contained(&self.0)?;
        }
        store::commit(&self.0, place)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Kept, it has another name by now; what cannot be removed is swept at the next start.
        drop(store::remove(&self.0));
    }
}

/// Reads the rest of what somebody sends. An error here ends it just as well.
async fn drain(mut content: BodyDataStream) {
    while let Some(Ok(_)) = content.next().await {}
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
