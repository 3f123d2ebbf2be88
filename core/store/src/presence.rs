//! Who works on a SQLite file. A lock that the kernel drops with its process tells a dead predecessor from a live neighbour.

use std::{
    fs::{File, TryLockError},
    future::Future,
    time::Duration,
};

use tokio::time::{Instant, sleep};
use types::{Error, Result};

use crate::Store;

/// A newcomer holds the lock alone only for one short transaction.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Held for as long as this process works on the database; its end, however it comes, lets go.
#[derive(Debug)]
pub struct Presence {
    _lock: Option<File>,
}

impl Store {
    /// Takes a place among the workers of this database, and runs `alone` first if nobody else has one.
    ///
    /// - Whoever works here must hold its [`Presence`] before it begins: only then `alone` may take for dead whom it
    ///   finds in the rows.
    /// - On PostgreSQL nobody can know who else lives: `alone` never runs.
    ///
    /// Errors: `Unavailable` when the lock file beside the database cannot be used, or stays taken for 30 s.
    pub async fn enter(&self, alone: impl Future<Output = Result<()>>) -> Result<Presence> {
        let Some(path) = &self.presence else {
            return Ok(Presence { _lock: None });
        };
        let broken = |e: std::io::Error| {
            Error::unavailable(format!("the lock file {} cannot be used", path.display())).because(e)
        };
        let file = File::options().create(true).append(true).open(path).map_err(broken)?;
        match file.try_lock() {
            // Between the two locks another may come and be alone: we have begun nothing that it could take away.
            Ok(()) => {
                alone.await?;
                file.unlock().map_err(broken)?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(e)) => return Err(broken(e)),
        }
        let end = Instant::now() + PATIENCE;
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Ok(Presence { _lock: Some(file) }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(LOOK_AGAIN).await,
                Err(TryLockError::WouldBlock) => {
                    let text = format!("another process keeps {} to itself", path.display());
                    return Err(Error::unavailable(text));
                }
                Err(TryLockError::Error(e)) => return Err(broken(e)),
            }
        }
    }
}
