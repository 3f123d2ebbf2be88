//! A content on its way in: written to a local file with its holes kept, hashed as it passes, resumable after a crash.
//!
//! `<image>.part` holds the bytes and is locked by whoever writes it; `<image>.mark` says up to where they are on disk
//! and what the hashes were there. All work here blocks.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha512, digest::common::hazmat::SerializableState};
use types::{Error, ImageId, Result};

use crate::backend::dir::fault;

/// Zeros are left out in pieces of this size, aligned.
const BLOCK: u64 = 64 << 10;
static ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
/// How many bytes a crash may cost.
const MARK_EVERY: u64 = 256 << 20;

/// Where to begin writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Forget what is there.
    Anew,
    /// Go on at this offset, which must be where the spool stands.
    At(u64),
}

/// A spool file held open by its one writer.
pub struct Spool {
    file: File,
    path: PathBuf,
    offset: u64,
    marked: u64,
    md5: Md5,
    sha512: Sha512,
}

/// A complete content.
#[derive(Debug)]
pub struct Sealed {
    pub path: PathBuf,
    pub size: u64,
    pub md5: String,
    pub sha512: String,
    /// Keeps the lock.
    _file: File,
}

#[derive(Default, Serialize, Deserialize)]
struct Mark {
    offset: u64,
    md5: String,
    sha512: String,
}

impl Spool {
    /// Errors: `Conflict` when somebody else writes it, or when it does not stand where the caller believes.
    pub fn open(dir: &Path, image: &ImageId, start: Start) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|e| fault("making the spool", dir, e))?;
        let path = part(dir, image);
        let failed = |e| fault("opening the spool", &path, e);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        if file.try_lock().is_err() {
            return Err(Error::conflict(format!("image `{image}` is being uploaded by somebody else")).code("busy"));
        }
        let mark = match start {
            Start::Anew | Start::At(0) => Mark::default(),
            Start::At(_) => mark(dir, image),
        };
        if let Start::At(offset) = start
            && offset != mark.offset
        {
            return Err(stands_at(mark.offset));
        }
        if mark.offset == 0 {
            // An old mark must not describe new bytes.
            forget(&path.with_extension("mark"))?;
        }
        file.set_len(mark.offset).map_err(failed)?;
        let (md5, sha512) = hashes(&mark)?;
        Ok(Self {
            file,
            path,
            offset: mark.offset,
            marked: mark.offset,
            md5,
            sha512,
        })
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends. Blocks of zeros are not written.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.md5.update(bytes);
        self.sha512.update(bytes);
        while !bytes.is_empty() {
            let room = usize::try_from(BLOCK - self.offset % BLOCK).unwrap_or(usize::MAX);
            let (piece, rest) = bytes.split_at(room.min(bytes.len()));
            if piece != &ZEROS[..piece.len()] {
                let written = self.file.write_all_at(piece, self.offset);
                written.map_err(|e| fault("writing the spool", &self.path, e))?;
            }
            self.offset += piece.len() as u64;
            bytes = rest;
        }
        if self.offset - self.marked >= MARK_EVERY {
            self.mark()?;
        }
        Ok(())
    }

    /// Makes what was written last, so that it can be resumed from here.
    pub fn mark(&mut self) -> Result<()> {
        self.sync()?;
        let mark = Mark {
            offset: self.offset,
            md5: hex::encode(self.md5.serialize()),
            sha512: hex::encode(self.sha512.serialize()),
        };
        let to = self.path.with_extension("mark");
        let temporary = self.path.with_extension("mark.new");
        let text = serde_json::to_string(&mark).map_err(|e| Error::broken("a mark cannot be written").because(e))?;
        let written = fs::write(&temporary, text)
            .and_then(|()| File::open(&temporary)?.sync_all())
            .and_then(|()| fs::rename(&temporary, &to));
        written.map_err(|e| fault("marking the spool", &to, e))?;
        self.marked = self.offset;
        Ok(())
    }

    /// Ends the content: all of it is on disk.
    pub fn seal(self) -> Result<Sealed> {
        self.sync()?;
        Ok(Sealed {
            path: self.path,
            size: self.offset,
            md5: hex::encode(self.md5.finalize()),
            sha512: hex::encode(self.sha512.finalize()),
            _file: self.file,
        })
    }

    fn sync(&self) -> Result<()> {
        let synced = self.file.set_len(self.offset).and_then(|()| self.file.sync_all());
        synced.map_err(|e| fault("syncing the spool", &self.path, e))
    }
}

/// Where an upload of this image can go on.
pub fn offset(dir: &Path, image: &ImageId) -> u64 {
    mark(dir, image).offset
}

/// Forgets what was spooled.
pub fn discard(dir: &Path, image: &ImageId) -> Result<()> {
    let path = part(dir, image);
    forget(&path.with_extension("mark"))?;
    forget(&path)
}

fn forget(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(fault("clearing the spool", path, e)),
        _ => Ok(()),
    }
}

/// The refusal of a piece that does not follow what is there.
pub fn stands_at(offset: u64) -> Error {
    Error::conflict(format!("the upload stands at byte {offset}: go on from there"))
        .code("wrong_offset")
        .details(serde_json::json!({ "offset": offset }))
}

fn part(dir: &Path, image: &ImageId) -> PathBuf {
    dir.join(format!("{image}.part"))
}

/// What can be relied on; nothing when the mark is missing, damaged or ahead of the file.
fn mark(dir: &Path, image: &ImageId) -> Mark {
    let path = part(dir, image);
    let text = fs::read_to_string(path.with_extension("mark")).unwrap_or_default();
    let mark: Mark = serde_json::from_str(&text).unwrap_or_default();
    let there = fs::metadata(&path).map_or(0, |file| file.len());
    if mark.offset > there || hashes(&mark).is_err() {
        return Mark::default();
    }
    mark
}

fn hashes(mark: &Mark) -> Result<(Md5, Sha512)> {
    if mark.offset == 0 {
        return Ok((Md5::new(), Sha512::new()));
    }
    let damaged = || Error::broken("the mark of an upload is damaged: begin it anew");
    let md5 = hex::decode(&mark.md5).map_err(|_| damaged())?;
    let sha512 = hex::decode(&mark.sha512).map_err(|_| damaged())?;
    let md5 = md5.as_slice().try_into().map_err(|_| damaged())?;
    let sha512 = sha512.as_slice().try_into().map_err(|_| damaged())?;
    let md5 = Md5::deserialize(md5).map_err(|_| damaged())?;
    let sha512 = Sha512::deserialize(sha512).map_err(|_| damaged())?;
    Ok((md5, sha512))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn image() -> ImageId {
        ImageId::from(uuid::Uuid::new_v4())
    }

    #[test]
    fn zeros_take_no_room_and_are_hashed() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), &image(), Start::Anew).unwrap();
        let zeros = vec![0u8; 1 << 20];
        for _ in 0..64 {
            spool.write(&zeros).unwrap();
        }
        spool.write(b"end").unwrap();
        let sealed = spool.seal().unwrap();
        let file = fs::metadata(&sealed.path).unwrap();
        assert_eq!((sealed.size, file.len()), ((64 << 20) + 3, (64 << 20) + 3));
        assert!(file.blocks() * 512 < 1 << 20, "{} bytes on disk", file.blocks() * 512);
        let whole = fs::read(&sealed.path).unwrap();
        assert_eq!(sealed.sha512, hex::encode(Sha512::digest(&whole)));
        assert_eq!(sealed.md5, hex::encode(Md5::digest(&whole)));
    }

    #[test]
    fn an_upload_goes_on_from_its_mark_with_the_same_hashes() {
        let (dir, id) = (tempfile::tempdir().unwrap(), image());
        let mut spool = Spool::open(dir.path(), &id, Start::Anew).unwrap();
        spool.write(b"one two ").unwrap();
        spool.mark().unwrap();
        spool.write(b"lost in a crash").unwrap();
        let busy = Spool::open(dir.path(), &id, Start::At(8)).err().unwrap();
        assert_eq!(busy.code, "busy");
        drop(spool);
        assert_eq!(offset(dir.path(), &id), 8);
        let wrong = Spool::open(dir.path(), &id, Start::At(23)).err().unwrap();
        assert_eq!(wrong.message, "the upload stands at byte 8: go on from there");
        let mut spool = Spool::open(dir.path(), &id, Start::At(8)).unwrap();
        spool.write(b"three").unwrap();
        let sealed = spool.seal().unwrap();
        assert_eq!(fs::read(&sealed.path).unwrap(), b"one two three");
        assert_eq!(sealed.sha512, hex::encode(Sha512::digest(b"one two three")));
    }

    #[test]
    fn a_damaged_mark_means_the_beginning() {
        let (dir, id) = (tempfile::tempdir().unwrap(), image());
        fs::write(dir.path().join(format!("{id}.part")), b"12345678").unwrap();
        for text in [
            "",
            "{",
            r#"{"offset":4,"md5":"00","sha512":"zz"}"#,
            r#"{"offset":99,"md5":"","sha512":""}"#,
        ] {
            fs::write(dir.path().join(format!("{id}.mark")), text).unwrap();
            assert_eq!(offset(dir.path(), &id), 0, "{text}");
        }
    }
}
