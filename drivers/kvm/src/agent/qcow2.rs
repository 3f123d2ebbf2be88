//! The header of a qcow2 file, read without qemu: what it stands on and how large it is for a guest.
//! Layout: <https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt>.

use std::{fs::File, os::unix::fs::FileExt, path::Path};

use contract::{Error, Result};

use crate::agent::store;

const MAGIC: &[u8] = b"QFI\xfb";
/// Incompatible feature: the data is in another file.
const EXTERNAL_DATA: u64 = 1 << 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes the guest sees.
    pub size: u64,
    /// The file below, as written in this one.
    pub backing: Option<String>,
    pub external_data: bool,
}

/// Reads the header; `Invalid` when it is not qcow2.
pub fn header(path: &Path) -> Result<Header> {
    let file = File::open(path).map_err(|e| store::failed("open", path, e))?;
    let mut head = [0; 104];
    let wrong = |why: &str| Error::invalid(format!("this is not a qcow2 image: {why}")).code("bad_image");
    if file.metadata().map_err(|e| store::failed("read", path, e))?.len() < head.len() as u64 {
        return Err(wrong("it is too short"));
    }
    file.read_exact_at(&mut head, 0)
        .map_err(|e| store::failed("read", path, e))?;
    if &head[..4] != MAGIC {
        return Err(wrong("it does not begin as one"));
    }
    let version = number(&head[4..8]);
    if !(2..=3).contains(&version) {
        return Err(wrong(&format!("version {version} is not known")));
    }
    let (offset, length) = (number(&head[8..16]), number(&head[16..20]));
    if length > 1023 {
        return Err(wrong("the name of its backing file is too long"));
    }
    let mut name = vec![0; length as usize];
    if offset != 0 {
        file.read_exact_at(&mut name, offset)
            .map_err(|_| wrong("its backing file has no name"))?;
    }
    Ok(Header {
        size: number(&head[24..32]),
        backing: (offset != 0).then(|| String::from_utf8_lossy(&name).into_owned()),
        external_data: version == 3 && number(&head[72..80]) & EXTERNAL_DATA != 0,
    })
}

/// What an upload must be: complete in itself. Anything else could make qemu read files of the host.
pub fn self_contained(path: &Path) -> Result<Header> {
    let header = header(path)?;
    if header.backing.is_some() || header.external_data {
        let message = "the image refers to another file: flatten it with `qemu-img convert -O qcow2`";
        return Err(Error::invalid(message).code("image_not_flat"));
    }
    Ok(header)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(backing: &str, features: u8) -> tempfile::NamedTempFile {
        let mut bytes = vec![0u8; 512];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[7] = 3;
        bytes[28..32].copy_from_slice(&(64u32 << 20).to_be_bytes());
        bytes[79] = features;
        if !backing.is_empty() {
            bytes[14..16].copy_from_slice(&256u16.to_be_bytes());
            bytes[19] = backing.len() as u8;
            bytes[256..256 + backing.len()].copy_from_slice(backing.as_bytes());
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn an_image_that_reads_other_files_is_refused() {
        for file in [image("/etc/shadow", 0), image("", 4)] {
            assert_eq!(self_contained(file.path()).unwrap_err().code, "image_not_flat");
        }
        assert_eq!(self_contained(image("", 0).path()).unwrap().size, 64 << 20);
        assert_eq!(header(image("/base", 0).path()).unwrap().backing.unwrap(), "/base");
    }

    #[test]
    fn what_is_not_qcow2_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for content in [&b"QFI"[..], &[0; 200]] {
            std::fs::write(file.path(), content).unwrap();
            assert_eq!(header(file.path()).unwrap_err().code, "bad_image");
        }
    }
}
