//! What guests wrote to their serial port: one growing file each, kept within bounds, read from the end.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use contract::{Error, Result};
use uuid::Uuid;

use crate::agent::{node::Node, store};

/// A log that is longer is cut; this much of its end is kept aside.
const LONGEST: u64 = 8 << 20;
const KEPT: u64 = 1 << 20;

impl Node {
    pub fn console_log(&self, id: Uuid, limit: usize) -> Result<String> {
        self.domain(id)?;
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).min(LONGEST);
        let path = self.store.console(id);
        let mut text = tail(&path, limit)?;
        let missing = limit - text.len() as u64;
        if missing > 0 {
            let mut older = tail(&kept(&path), missing)?;
            older.append(&mut text);
            text = older;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Cuts logs that grew too long. qemu appends, so it goes on at the new end.
    pub fn trim_consoles(&self) -> Result<()> {
        let dir = self.store.file("console");
        for name in store::names(&dir)?.iter().filter(|name| name.ends_with(".log")) {
            let path = dir.join(name);
            if path.metadata().is_ok_and(|file| file.len() > LONGEST) {
                store::write(&kept(&path), &tail(&path, KEPT)?)?;
                let cut = File::options().write(true).open(&path).and_then(|file| file.set_len(0));
                cut.map_err(|e| store::failed("cut", &path, e))?;
            }
        }
        Ok(())
    }

    /// Removes a guest's log with what libvirt or we put aside of it.
    pub fn forget_console(&self, id: Uuid) -> Result<()> {
        let (dir, prefix) = (self.store.file("console"), format!("{id}."));
        let names = store::names(&dir)?;
        names
            .iter()
            .filter(|name| name.starts_with(&prefix))
            .try_for_each(|name| store::remove(&dir.join(name)))
    }
}

fn kept(path: &Path) -> std::path::PathBuf {
    path.with_extension("log.old")
}

fn tail(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(store::failed("read", path, e)),
    };
    let mut text = Vec::new();
    let read = |file: &mut File, text: &mut Vec<u8>| -> std::io::Result<()> {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
        file.take(limit).read_to_end(text).map(drop)
    };
    read(&mut file, &mut text).map_err(|e| -> Error { store::failed("read", path, e) })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_what_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"0123456789").unwrap();
        assert_eq!(tail(file.path(), 3).unwrap(), b"789");
        assert_eq!(tail(file.path(), 99).unwrap(), b"0123456789");
        assert_eq!(tail(Path::new("/nowhere"), 9).unwrap(), b"");
    }
}
