//! Contents as files below a directory. A file arrives by a rename, so holes stay holes and no reader sees half of it.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;
use types::{Error, Kind, Result};

use crate::backend::{Backend, Bytestream};

const CHUNK: usize = 256 << 10;

/// A directory; with a spool on the same file system.
pub struct Dir {
    root: PathBuf,
}

impl Dir {
    /// Makes the directory when it is missing.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|e| fault("making the image directory", &root, e))?;
        Ok(Self { root })
    }
}

#[async_trait]
impl Backend for Dir {
    async fn put(&self, key: &str, file: &Path) -> Result<()> {
        let (from, to) = (file.to_owned(), self.root.join(key));
        blocking(move || arrive(&from, &to)).await
    }

    async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytestream> {
        let path = self.root.join(key);
        let lost = |e| fault("reading a stored image", &path, e);
        let mut file = tokio::fs::File::open(&path).await.map_err(lost)?;
        file.seek(io::SeekFrom::Start(range.start)).await.map_err(lost)?;
        let part = file.take(range.end - range.start);
        let stream =
            ReaderStream::with_capacity(part, CHUNK).map_err(move |e| fault("reading a stored image", &path, e));
        Ok(stream.boxed())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.root.join(key);
        match tokio::fs::remove_file(&path).await {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(fault("removing a stored image", &path, e)),
            _ => Ok(()),
        }
    }

    async fn check(&self) -> Result<()> {
        let path = self.root.join(".check");
        let written = tokio::fs::write(&path, b"").await;
        written.map_err(|e| fault("writing into the image directory", &self.root, e))
    }
}

/// Moves a synced file to its place and makes the move last.
fn arrive(from: &Path, to: &Path) -> Result<()> {
    let parent = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(|e| fault("making a directory for an image", parent, e))?;
    match fs::rename(from, to) {
        // A repeat: the file has arrived already.
        Err(e) if e.kind() == io::ErrorKind::NotFound && to.exists() => {}
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            let sentence = "the spool must be on the same file system as the image directory";
            return Err(Error::broken(sentence).because(e));
        }
        moved => moved.map_err(|e| fault("storing an image", to, e))?,
    }
    for dir in [Some(parent), parent.parent()].into_iter().flatten() {
        let synced = fs::File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(|e| fault("storing an image", dir, e))?;
    }
    Ok(())
}

/// Runs file work where it may block.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(Error::broken("work on an image's file stopped half-way").because(e)))
}

/// A file error as ours: what was being done, and to which path.
pub fn fault(what: &str, path: &Path, error: io::Error) -> Error {
    let at = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(Kind::Capacity, format!("{what}: the file system of {at} is full")).code("image_store_full")
        }
        io::ErrorKind::PermissionDenied => Error::broken(format!("{what}: this process may not use {at}")),
        _ => Error::broken(format!("{what} failed at {at}")),
    }
    .because(error)
}
