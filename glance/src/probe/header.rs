//! The first bytes of a file: refuses what points to other files before qemu could follow it.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use types::Result;

use crate::backend::dir::fault;

pub const OVERLAY: &str =
    "the file is an overlay on another file: make it whole with `qemu-img convert` before uploading it";
const ELSEWHERE: &str =
    "the file keeps its data in another file: make it whole with `qemu-img convert` before uploading it";
const EMPTY: &str = "the file is empty";

/// What can be told without qemu.
#[derive(Clone, Debug, Default)]
pub struct Traits {
    pub size: u64,
    /// Why the file is refused whatever it was claimed to be.
    pub trap: Option<&'static str>,
    pub archive: Option<&'static str>,
    pub is_iso: bool,
    pub is_fixed_vhd: bool,
}

const ARCHIVES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
];

/// Reads a little of the file; blocks for no longer than that.
pub fn read(path: &Path) -> Result<Traits> {
    inspect(path).map_err(|e| fault("reading an uploaded file", path, e))
}

fn inspect(path: &Path) -> io::Result<Traits> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let start = at(&file, 0, 512)?;
    let disc = at(&file, 32_769, 5)?;
    let footer = at(&file, size.saturating_sub(512), 8)?;
    Ok(Traits {
        size,
        trap: trap(&file, &start, size)?,
        archive: ARCHIVES
            .iter()
            .find(|(magic, _)| start.starts_with(magic))
            .map(|(_, name)| *name),
        is_iso: disc == b"CD001",
        is_fixed_vhd: size > 512 && footer == b"conectix" && !start.starts_with(b"conectix"),
    })
}

fn trap(file: &File, start: &[u8], size: u64) -> io::Result<Option<&'static str>> {
    Ok(if size == 0 {
        Some(EMPTY)
    } else if start.starts_with(b"QFI\xfb") {
        qcow2(start)
    } else if start.starts_with(b"QED\0") {
        Some("the file is qed, which is not served: convert it to qcow2 before uploading it")
    } else if start.starts_with(b"KDMV") {
        vmdk(file, start)?
    } else if start.starts_with(b"# Disk DescriptorFile") {
        Some(ELSEWHERE)
    } else {
        None
    })
}

/// Backing file offset at byte 8; incompatible features of version 3 at byte 72, bit 2 is an external data file.
fn qcow2(start: &[u8]) -> Option<&'static str> {
    let version = big(start, 4, 4);
    if big(start, 8, 8) != 0 {
        return Some(OVERLAY);
    }
    (version >= 3 && big(start, 72, 8) & 4 != 0).then_some(ELSEWHERE)
}

/// The embedded description names the kind; only these two keep everything in this file.
fn vmdk(file: &File, start: &[u8]) -> io::Result<Option<&'static str>> {
    const SECTOR: u64 = 512;
    const MOST: u64 = 64 << 10;
    let (from, length) = (little(start, 28), little(start, 36));
    let length = length.saturating_mul(SECTOR).min(MOST);
    let text = at(file, from.saturating_mul(SECTOR), usize::try_from(length).unwrap_or(0))?;
    let text = String::from_utf8_lossy(&text);
    let kinds: Vec<_> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("createType="))
        .collect();
    let whole = |kind: &&str| ["\"monolithicSparse\"", "\"streamOptimized\""].contains(&kind.trim());
    let ok = kinds.len() == 1 && kinds.iter().all(whole) && !text.contains("parentFileNameHint");
    Ok((!ok).then_some(ELSEWHERE))
}

fn at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut have = 0;
    while have < length {
        match file.read_at(&mut bytes[have..], offset + have as u64)? {
            0 => break,
            n => have += n,
        }
    }
    bytes.truncate(have);
    Ok(bytes)
}

fn big(bytes: &[u8], at: usize, length: usize) -> u64 {
    let field = bytes.get(at..at + length).unwrap_or_default();
    field.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn little(bytes: &[u8], at: usize) -> u64 {
    let field = bytes.get(at..at + 8).unwrap_or_default();
    field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
