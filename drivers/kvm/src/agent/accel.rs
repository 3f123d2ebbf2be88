//! Whether guests run on the processor or are emulated. A device that opens proves nothing: there are machines
//! whose /dev/kvm opens and whose guests never get anywhere, so a tiny guest is started and must speak.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use contract::Result;
use serde::{Deserialize, Serialize};

use crate::agent::{process, store};

/// What a domain is defined as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accel {
    Kvm,
    Qemu,
}

impl Accel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Qemu => "qemu",
        }
    }
}

/// What the operator wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// KVM where a guest really runs with it.
    #[default]
    Auto,
    Kvm,
    Qemu,
}

impl std::str::FromStr for Wish {
    type Err = types::Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            "qemu" => Ok(Self::Qemu),
            _ => Err(types::Error::invalid(format!(
                "`{text}` is not an accelerator: use auto, kvm or qemu"
            ))),
        }
    }
}

/// What is used, and why, for the log and for whoever looks at the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub accel: Accel,
    pub why: String,
}

/// Decides; blocks up to a few seconds. `scratch` is a directory for the probe's disk.
pub fn choose(wish: Wish, scratch: &Path) -> Choice {
    let choice = |accel, why: &str| Choice {
        accel,
        why: why.to_owned(),
    };
    match wish {
        Wish::Kvm => return choice(Accel::Kvm, "it was asked for"),
        Wish::Qemu => return choice(Accel::Qemu, "it was asked for"),
        Wish::Auto => {}
    }
    if Path::new("/sys/module/kvm_pvm").exists() {
        return choice(
            Accel::Qemu,
            "this kernel's KVM is a software substitute (kvm_pvm) that does not run ordinary guests",
        );
    }
    if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        return choice(Accel::Qemu, &format!("/dev/kvm cannot be used: {error}"));
    }
    match probe("kvm", scratch, DEADLINE) {
        Ok(()) => choice(Accel::Kvm, "a guest was started with it and ran"),
        Err(why) => choice(Accel::Qemu, &why),
    }
}

/// How long a guest may take to say something; with working KVM it is well under a second.
const DEADLINE: Duration = Duration::from_secs(3);

/// Starts a guest that counts to 2^24 and then writes `K` to its serial port.
fn probe(accel: &str, scratch: &Path, limit: Duration) -> Result<(), String> {
    let disk = scratch.join("probe.part");
    fs::write(&disk, boot_sector()).map_err(|e| format!("the probe guest's disk cannot be written: {e}"))?;
    let mut child = guest(accel, &disk)
        .spawn()
        .map_err(|e| format!("qemu cannot be started: {e}"))?;
    let (tell, told) = mpsc::channel();
    let out = child.stdout.take();
    thread::spawn(move || {
        let spoke = out.into_iter().flat_map(Read::bytes).flatten().any(|byte| byte == b'K');
        // Nobody listens any more after the deadline.
        tell.send(spoke).unwrap_or_default();
    });
    let spoke = told.recv_timeout(limit).unwrap_or(false);
    process::wait(&mut child, Duration::ZERO);
    drop(store::remove(&disk));
    match spoke {
        true => Ok(()),
        false => Err(format!(
            "a guest started with {accel} did not run within {} seconds",
            limit.as_secs()
        )),
    }
}

/// A machine with a floppy and a serial port.
fn guest(accel: &str, disk: &Path) -> Command {
    let mut command = Command::new(format!("qemu-system-{}", std::env::consts::ARCH));
    command
        .args([
            "-accel",
            accel,
            "-machine",
            "pc",
            "-nodefaults",
            "-display",
            "none",
            "-m",
            "16",
            "-boot",
            "a",
        ])
        .args(["-serial", "stdio", "-drive"])
        .arg(format!("if=floppy,format=raw,readonly=on,file={}", disk.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// 16-bit code: `mov ecx, 1<<24; l: dec ecx; jnz l; mov dx, 0x3f8; mov al, 'K'; out dx, al; h: hlt; jmp h`,
/// on a floppy of the usual size.
fn boot_sector() -> Vec<u8> {
    let code = [
        0x66, 0xb9, 0, 0, 0, 1, 0x66, 0x49, 0x75, 0xfc, 0xba, 0xf8, 0x03, 0xb0, b'K', 0xee, 0xf4, 0xeb, 0xfd,
    ];
    let mut disk = vec![0; 1_474_560];
    disk[..code.len()].copy_from_slice(&code);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probe_guest_speaks_under_emulation() {
        let scratch = tempfile::tempdir().unwrap();
        probe("tcg", scratch.path(), Duration::from_secs(60))
            .expect("install qemu-system-x86 (apt-get install qemu-system-x86)");
        assert!(probe("no-such-accelerator", scratch.path(), Duration::from_secs(60)).is_err());
    }

    #[test]
    fn a_wish_is_obeyed() {
        assert_eq!(choose(Wish::Qemu, Path::new("/")).accel, Accel::Qemu);
        assert_eq!(choose("kvm".parse().unwrap(), Path::new("/")).accel, Accel::Kvm);
        assert!("tcg".parse::<Wish>().is_err());
    }
}
