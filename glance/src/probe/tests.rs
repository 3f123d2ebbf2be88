//! Real files from qemu-img, and the traps it could be led into.

use std::{fs, path::PathBuf, process::Command};

use super::*;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn make(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let output = Command::new("qemu-img")
            .arg("create")
            .args(arguments)
            .arg(name)
            .arg("4M")
            .current_dir(self.0.path())
            .output()
            .expect("qemu-img is missing: run tools/install host");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.path(name)
    }
}

async fn check(path: &Path, claimed: &str) -> Result<Probed, String> {
    let probed = probe(path, claimed, Duration::from_secs(30)).await;
    probed.map_err(|e| {
        assert_eq!(e.kind, Kind::Invalid, "{}", e.chain());
        e.message
    })
}

#[tokio::test]
async fn every_format_is_recognised_and_no_other_is_taken_for_it() {
    let files = Files::new();
    for (ours, theirs) in FORMATS.iter().filter(|(ours, _)| *ours != "iso") {
        let mut arguments = vec!["-f", *theirs];
        if *theirs == "vpc" {
            arguments.extend(["-o", "subformat=dynamic"]);
        }
        let file = files.make(ours, &arguments);
        let probed = check(&file, ours).await.unwrap();
        assert_eq!(probed.format, *ours);
        assert!(probed.virtual_size >= 4 << 20, "{ours}: {}", probed.virtual_size);
        assert_eq!(check(&file, "").await.unwrap().format, *ours);
        let other = if *ours == "raw" { "qcow2" } else { "raw" };
        assert_eq!(
            check(&file, other).await,
            Err(format!("the file is {ours}, not {other}"))
        );
    }
}

#[tokio::test]
async fn discs_and_fixed_vhds_are_told_from_raw_disks() {
    let files = Files::new();
    let fixed = files.make("fixed", &["-f", "vpc", "-o", "subformat=fixed,force_size=on"]);
    assert_eq!(check(&fixed, "vhd").await.unwrap().format, "vhd");
    let mut disc = vec![0u8; 64 << 10];
    disc[32_769..32_774].copy_from_slice(b"CD001");
    let disc = files.write("disc", &disc);
    assert_eq!(check(&disc, "iso").await.unwrap().format, "iso");
    assert_eq!(check(&disc, "raw").await.unwrap().format, "raw");
    assert_eq!(check(&disc, "qcow2").await.unwrap_err(), "the file is iso, not qcow2");
    let plain = files.write("plain", &[0u8; 1024]);
    assert_eq!(check(&plain, "iso").await.unwrap_err(), "the file is raw, not iso");
}

#[tokio::test]
async fn what_is_no_image_is_refused() {
    let files = Files::new();
    for (bytes, sentence) in [
        (&b""[..], "the file is empty"),
        (
            b"just some text",
            "the file is not a disk image: its 14 bytes are not a whole number of 512-byte sectors",
        ),
        (
            b"\x1f\x8b\x08 and so on",
            "the file is a gzip archive, not a disk image: unpack it first",
        ),
    ] {
        let file = files.write("file", bytes);
        assert_eq!(check(&file, "raw").await.unwrap_err(), sentence);
    }
    let luks = files.make("luks", &["-f", "parallels"]);
    assert_eq!(check(&luks, "raw").await.unwrap_err(), "the file is parallels, not raw");
    let cut = files.write("cut", b"QFI\xfb\0\0\0\x03");
    let sentence = check(&cut, "qcow2").await.unwrap_err();
    assert!(
        sentence.starts_with("the file is not an image that can be read: "),
        "{sentence}"
    );
}

#[tokio::test]
async fn nothing_leads_qemu_to_another_file() {
    let files = Files::new();
    files.make("secret", &["-f", "raw"]);
    let overlay = files.make("overlay", &["-f", "qcow2", "-b", "secret", "-F", "raw"]);
    assert_eq!(check(&overlay, "qcow2").await.unwrap_err(), header::OVERLAY);
    assert_eq!(check(&overlay, "raw").await.unwrap_err(), header::OVERLAY);
    let external = files.make("external", &["-f", "qcow2", "-o", "data_file=data,data_file_raw=on"]);
    let sentence = check(&external, "qcow2").await.unwrap_err();
    assert!(
        sentence.starts_with("the file keeps its data in another file"),
        "{sentence}"
    );
    let flat = files.make("flat", &["-f", "vmdk", "-o", "subformat=monolithicFlat"]);
    assert_eq!(check(&flat, "vmdk").await.unwrap_err(), sentence);
    assert_eq!(check(&flat, "raw").await.unwrap_err(), sentence);
}
