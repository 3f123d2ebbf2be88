//! Where a simulated cloud lives: a journal of JSON lines shared by any number of processes, or this process's memory.
//!
//! A change is one line, appended under the file's lock; whoever looks reads on from where it last stopped. A line
//! without its newline is what a killed writer left behind: readers ignore it and the next writer cuts it off.

use std::{
    collections::HashMap,
    fs::{self, File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
    time::Duration,
};

use contract::{Error, Result};

use crate::{
    Options,
    world::{Change, World},
};

/// How often a lock that another process holds is tried.
const LOCK_PAUSE: Duration = Duration::from_micros(500);

pub(crate) struct Store {
    inner: tokio::sync::Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    world: World,
    journal: Option<Journal>,
}

struct Journal {
    path: PathBuf,
    file: File,
    /// Behind the last whole line that is in the world.
    offset: u64,
}

type Known<K, V> = LazyLock<Mutex<HashMap<K, V>>>;

/// Clouds without a file, for as long as the process lives: a new connection finds the old cloud.
static IN_MEMORY: Known<(String, u64), Arc<Store>> = LazyLock::new(Mutex::default);
/// Connections to one file share one reader.
static IN_FILES: Known<PathBuf, Weak<Store>> = LazyLock::new(Mutex::default);

/// The same account and options open the same cloud.
pub(crate) fn open(account: &str, options: &Options) -> Result<Arc<Store>> {
    let Some(state) = &options.state else {
        let mut known = IN_MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        let store = known.entry((account.to_owned(), options.seed)).or_insert_with(|| {
            Arc::new(Store {
                inner: tokio::sync::Mutex::default(),
            })
        });
        return Ok(store.clone());
    };
    let mut known = IN_FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let journal = Journal::open(state, account).map_err(|e| wrap(state, &e))?;
    if let Some(store) = known.get(&journal.path).and_then(Weak::upgrade) {
        return Ok(store);
    }
    let path = journal.path.clone();
    let store = Arc::new(Store {
        inner: tokio::sync::Mutex::new(Inner {
            world: World::default(),
            journal: Some(journal),
        }),
    });
    known.insert(path, Arc::downgrade(&store));
    Ok(store)
}

impl Store {
    /// Looks at the world as it is now.
    pub(crate) async fn read<T>(&self, look: impl FnOnce(&World) -> T) -> Result<T> {
        let mut inner = self.inner.lock().await;
        inner.catch_up()?;
        Ok(look(&inner.world))
    }

    /// Changes the world: what `act` pushes happens together and at once, or not at all when it fails.
    pub(crate) async fn write<T>(&self, act: impl FnOnce(&World, &mut Vec<Change>) -> Result<T>) -> Result<T> {
        let mut inner = self.inner.lock().await;
        let lock = inner.lock().await?;
        inner.catch_up()?;
        let mut line = Vec::new();
        let answer = act(&inner.world, &mut line)?;
        if !line.is_empty() {
            inner.append(&line)?;
            inner.world.apply(line);
        }
        drop(lock);
        Ok(answer)
    }
}

impl Inner {
    /// The lock is given back when the answer is dropped, and by the kernel when the process dies.
    async fn lock(&self) -> Result<Option<Lock>> {
        let Some(journal) = &self.journal else { return Ok(None) };
        let file = journal.file.try_clone().map_err(|e| wrap(&journal.path, &e))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Lock(file))),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
                Err(TryLockError::Error(e)) => return Err(wrap(&journal.path, &e)),
            }
        }
    }

    fn catch_up(&mut self) -> Result<()> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let text = journal.read_on().map_err(|e| wrap(&journal.path, &e))?;
        for line in text.lines() {
            let changes = serde_json::from_str(line).map_err(|e| {
                Error::broken(format!("{} holds a line that is not ours", journal.path.display())).because(e)
            })?;
            self.world.apply(changes);
        }
        journal.offset += text.len() as u64;
        Ok(())
    }

    fn append(&mut self, line: &[Change]) -> Result<()> {
        let Some(journal) = &mut self.journal else {
            return Ok(());
        };
        let mut text = serde_json::to_vec(line).map_err(|e| Error::broken("a change cannot be written").because(e))?;
        text.push(b'\n');
        journal.append(&text).map_err(|e| wrap(&journal.path, &e))
    }
}

struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock that cannot be given back goes with the process.
        let _ = self.0.unlock();
    }
}

impl Journal {
    fn open(state: &Path, account: &str) -> std::io::Result<Self> {
        let path = match state.is_dir() {
            true => state.join(format!("{account}.jsonl")),
            false => state.to_owned(),
        };
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent)?;
        }
        let file = File::options().read(true).append(true).create(true).open(&path)?;
        Ok(Self {
            path: path.canonicalize()?,
            file,
            offset: 0,
        })
    }

    /// The whole lines since the last look.
    fn read_on(&mut self) -> std::io::Result<String> {
        if self.file.metadata()?.len() == self.offset {
            return Ok(String::new());
        }
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        bytes.truncate(whole);
        String::from_utf8(bytes).map_err(std::io::Error::other)
    }

    /// Called under the lock and after `catch_up`, so what is behind the offset is a torn line.
    fn append(&mut self, text: &[u8]) -> std::io::Result<()> {
        if self.file.metadata()?.len() > self.offset {
            self.file.set_len(self.offset)?;
        }
        self.file.write_all(text)?;
        self.offset += text.len() as u64;
        Ok(())
    }
}

fn wrap(path: &Path, error: &std::io::Error) -> Error {
    Error::unavailable(format!("the simulated cloud in {} cannot be reached", path.display())).because(error)
}
