//! What a file really is. Nothing that would make qemu open a second file ever reaches qemu.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use serde::Deserialize;
use types::{Error, Kind, Result};

mod header;

/// Formats a client may name, with what qemu calls them.
pub const FORMATS: [(&str, &str); 7] = [
    ("raw", "raw"),
    ("qcow2", "qcow2"),
    ("vmdk", "vmdk"),
    ("vdi", "vdi"),
    ("vhd", "vpc"),
    ("vhdx", "vhdx"),
    ("iso", "raw"),
];

const SECTOR: u64 = 512;
/// The most address space and processor time the probe may use.
const LIMITS: &[&str] = &["--as=1073741824", "--cpu=30"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// A format of [`FORMATS`].
    pub format: &'static str,
    /// Bytes the guest sees.
    pub virtual_size: u64,
}

/// What the file is, if it is what was claimed; an empty claim takes whatever it is.
///
/// Errors: `Invalid` with one sentence for a person, `Timeout`, `Broken` when qemu-img is missing.
pub async fn probe(path: &Path, claimed: &str, limit: Duration) -> Result<Probed> {
    let traits = header::read(path)?;
    if let Some(trap) = traits.trap {
        return Err(refused(trap));
    }
    let info = ask_qemu(path, limit).await?;
    let format = name(&info.format, &traits).ok_or_else(|| {
        let wanted = if claimed.is_empty() {
            "a format that is served"
        } else {
            claimed
        };
        refused(format!("the file is {}, not {wanted}", info.format))
    })?;
    // A disc image that also boots from a USB stick is both.
    let fits = claimed.is_empty() || claimed == format || (claimed == "raw" && format == "iso");
    if !fits {
        return Err(refused(format!("the file is {format}, not {claimed}")));
    }
    let format = if claimed == "raw" { "raw" } else { format };
    if format == "raw" {
        plausible(&traits)?;
    }
    let virtual_size = info.virtual_size;
    Ok(Probed { format, virtual_size })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Info {
    format: String,
    virtual_size: u64,
    #[serde(default)]
    backing_filename: Option<String>,
}

async fn ask_qemu(path: &Path, limit: Duration) -> Result<Info> {
    let output = run_qemu(path, limit).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(127) {
        let sentence = format!("qemu-img cannot be run: install qemu-utils: {}", said.trim());
        return Err(Error::broken(sentence));
    }
    if !output.status.success() {
        let reason = said.lines().next().unwrap_or_default();
        let reason = reason.rsplit("': ").next().unwrap_or(reason);
        return Err(refused(format!("the file is not an image that can be read: {reason}")));
    }
    let info: Info = serde_json::from_slice(&output.stdout)
        .map_err(|e| Error::broken("qemu-img described the file in an unexpected way").because(e))?;
    match info.backing_filename {
        Some(_) => Err(refused(header::OVERLAY)),
        None => Ok(info),
    }
}

async fn run_qemu(path: &Path, limit: Duration) -> Result<Output> {
    let mut command = tokio::process::Command::new("prlimit");
    command.args(LIMITS).args(["qemu-img", "info", "--output=json", "--"]);
    command.arg(path).stdin(Stdio::null()).kill_on_drop(true).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    let late = |_| Error::new(Kind::Timeout, "looking into the file took too long: it may be damaged");
    let output = tokio::time::timeout(limit, command.output()).await.map_err(late)?;
    output
        .map_err(|e| Error::broken("prlimit and qemu-img cannot be run: install util-linux and qemu-utils").because(e))
}

/// Our word for what qemu found; qemu takes discs and fixed VHDs for raw.
fn name(qemu: &str, traits: &header::Traits) -> Option<&'static str> {
    match qemu {
        "raw" if traits.is_iso => Some("iso"),
        "raw" if traits.is_fixed_vhd => Some("vhd"),
        _ => FORMATS
            .iter()
            .find(|(_, theirs)| *theirs == qemu)
            .map(|(ours, _)| *ours),
    }
}

/// Any bytes can be a raw disk, but not any number of them, and not an archive.
fn plausible(traits: &header::Traits) -> Result<()> {
    if let Some(archive) = traits.archive {
        return Err(refused(format!(
            "the file is a {archive} archive, not a disk image: unpack it first"
        )));
    }
    if !traits.size.is_multiple_of(SECTOR) {
        return Err(refused(format!(
            "the file is not a disk image: its {} bytes are not a whole number of {SECTOR}-byte sectors",
            traits.size
        )));
    }
    Ok(())
}

fn refused(sentence: impl Into<String>) -> Error {
    Error::invalid(sentence).code("bad_image")
}

#[cfg(test)]
mod tests;
