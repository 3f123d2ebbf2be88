//! The agent's directory: where everything is, and how it is written so that kill -9 leaves the old or the new,
//! never half. A name that ends in `.part` is unfinished and is swept at the next start.

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use contract::{Error, Kind, Result};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Paths under the data directory.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Makes what is missing. Directories may be entered by the user qemu runs as, and listed by nobody else.
    pub fn open(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).map_err(|e| failed("make", root, e))?;
        let root = root.canonicalize().map_err(|e| failed("find", root, e))?;
        let store = Self { root };
        for dir in ["", "pool", "images", "seeds", "console"] {
            let path = store.root.join(dir);
            fs::create_dir_all(&path).map_err(|e| failed("make", &path, e))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).map_err(|e| failed("protect", &path, e))?;
        }
        Ok(store)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }
    pub fn pool(&self) -> PathBuf {
        self.root.join("pool")
    }
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }
    pub fn volume(&self, id: Uuid) -> PathBuf {
        self.pool().join(format!("{id}.qcow2"))
    }
    /// What a volume is called and by which token it was made; written before the volume.
    pub fn volume_note(&self, id: Uuid) -> PathBuf {
        self.pool().join(format!("{id}.json"))
    }
    pub fn snapshot_note(&self, volume: Uuid, snapshot: Uuid) -> PathBuf {
        self.pool().join(format!("{volume}@{snapshot}.json"))
    }
    pub fn seed(&self, machine: Uuid) -> PathBuf {
        self.root.join("seeds").join(format!("{machine}.img"))
    }
    pub fn console(&self, machine: Uuid) -> PathBuf {
        self.root.join("console").join(format!("{machine}.log"))
    }
}

/// Where a file is written before it takes its name.
pub fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Puts `bytes` at `path`, whole and on disk, readable by us alone.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let part = part(path);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let done = options
        .open(&part)
        .and_then(|mut file| io::Write::write_all(&mut file, bytes));
    done.map_err(|e| failed("write", &part, e))?;
    commit(&part, path)
}

/// Gives a finished file its name: synced before, the directory synced after.
pub fn commit(part: &Path, path: &Path) -> Result<()> {
    let done = fs::File::open(part)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(part, path))
        .and_then(|()| fs::File::open(path.parent().unwrap_or(path))?.sync_all());
    done.map_err(|e| failed("keep", path, e))
}

pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|e| Error::broken("a note cannot be written as JSON").because(e))?;
    write(path, &text)
}

/// `None` when there is no such file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("read", path, e)),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|e| Error::broken(format!("{} does not have the expected shape", path.display())).because(e))
}

/// Succeeds when it is gone.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, e)),
        _ => Ok(()),
    }
}

/// The names in a directory.
pub fn names(dir: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(dir).map_err(|e| failed("list", dir, e))?;
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect())
}

/// A full disk is `Capacity`, so that the scheduler looks elsewhere.
pub fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Capacity,
        _ => Kind::Broken,
    };
    Error::new(kind, format!("the agent cannot {verb} {}", path.display())).because(error)
}
