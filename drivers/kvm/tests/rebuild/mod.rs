//! A disk that starts over from another image: what is in it then, what is refused, and an agent that dies meanwhile.

use std::{path::Path, process::Command, time::Duration};

use contract::{ExternalRef, Kind, compute::Stop};
use serde_json::Value;

use crate::{
    lab::{Lab, call, done, said, token},
    life::{console_shows, machine, volume},
};

/// A pattern where neither image has one.
const WRITE: &str = "write -q -P 0x5a 100M 1M";
const READ: &str = "read -q -P 0x5a 100M 1M";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_over_from_another_image() {
    let lab = Lab::open().await;
    let (disks, compute, images) = families(&lab);
    let (plain, guest) = (lab.upload(vec![0x11; 1 << 20], "raw").await, lab.image().await);
    let spec = volume(&lab, "root", Some(&plain));
    let disk = done(disks.create(&call(), &spec, &token("disk-1")).await.unwrap());
    let server = machine(&lab, "web", &disk, Vec::new());
    let server = done(compute.create(&call(), &server, &token("srv-1")).await.unwrap());
    let before = disks.get(&call(), &disk).await.unwrap();
    assert_eq!(before.attached_to.as_ref(), Some(&server));
    assert_eq!(
        below(&lab, &disk),
        (lab.image_file(&plain, "raw").display().to_string(), "raw".to_owned())
    );
    what_cannot_be_changes_nothing(&lab, &disk).await;

    // The second time it throws away what was written after the first.
    for _ in 0..2 {
        qemu_io(&lab, &disk, WRITE);
        done(disks.rebuild(&call(), &disk, &guest).await.unwrap());
        assert_holds(&lab, &disk, &guest);
        assert_eq!(disks.get(&call(), &disk).await.unwrap(), before, "it is the same disk");
    }
    let again = disks.create(&call(), &spec, &token("disk-1")).await.unwrap();
    assert_eq!(done(again), disk, "its token still names it");
    assert_holds(&lab, &disk, &guest);

    images.delete(&call(), &plain).await.unwrap();
    let refused = images.delete(&call(), &guest).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Conflict, "image_in_use"));
    done(compute.start(&call(), &server).await.unwrap());
    for line in ["hello from web", "disk vda 209715200", "ready"] {
        console_shows(&lab, &server, line).await;
    }
    let refused = disks.rebuild(&call(), &disk, &guest).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.code.as_str()),
        (Kind::Conflict, "server_running")
    );

    done(compute.stop(&call(), &server, Stop::Hard).await.unwrap());
    done(compute.delete(&call(), &server).await.unwrap());
    done(disks.delete(&call(), &disk).await.unwrap());
    images.delete(&call(), &guest).await.unwrap();
    lab.assert_empty().await;
}

/// Killed at many moments of a rebuild, the agent leaves the old disk or the new one, whole, and is asked again.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_leaves_the_old_disk_or_the_new() {
    let mut lab = Lab::open().await;
    let (mut old, mut new) = (lab.upload(vec![0x11; 1 << 20], "raw").await, lab.image().await);
    let spec = volume(&lab, "root", Some(&old));
    let made = families(&lab).0.create(&call(), &spec, &token("disk-1")).await;
    let disk = done(made.unwrap());
    for pause in [0, 4, 8, 12, 16, 24, 40] {
        // Whatever came of it is asked for again below.
        let call = call();
        let asked = families(&lab).0.rebuild(&call, &disk, &new);
        drop(tokio::time::timeout(Duration::from_millis(pause), asked).await);
        lab.kill_agent();
        said(Command::new("qemu-img").args(["check", "-q"]).arg(lab.disk_file(&disk)));
        let stands = below(&lab, &disk).0;
        assert!(
            [&old, &new].iter().any(|image| stands.contains(digest(image))),
            "{stands}"
        );
        lab.start_agent().await;
        let mut files = lab.files("pool");
        files.sort();
        assert_eq!(files.len(), 2, "a disk and its note, nothing unfinished: {files:?}");
        done(families(&lab).0.rebuild(&call, &disk, &new).await.unwrap());
        assert_holds(&lab, &disk, &new);
        std::mem::swap(&mut old, &mut new);
    }
    done(families(&lab).0.delete(&call(), &disk).await.unwrap());
    for image in [old, new] {
        families(&lab).2.delete(&call(), &image).await.unwrap();
    }
    lab.assert_empty().await;
}

async fn what_cannot_be_changes_nothing(lab: &Lab, disk: &ExternalRef) {
    let (disks, _, images) = families(lab);
    qemu_io(lab, disk, WRITE);
    let stands = below(lab, disk);
    let nowhere = ExternalRef::new(format!("{}/{}", lab.host(), "0".repeat(128)));
    let larger = lab.upload(larger(), "qcow2").await;
    for (image, kind, code) in [
        (&nowhere, Kind::NotFound, "not_found"),
        (&larger, Kind::Invalid, "disk_too_small"),
    ] {
        let refused = disks.rebuild(&call(), disk, image).await.unwrap_err();
        assert_eq!(
            (refused.kind, refused.code.as_str()),
            (kind, code),
            "{}",
            refused.chain()
        );
    }
    images.delete(&call(), &larger).await.unwrap();
    assert_eq!(below(lab, disk), stands);
    qemu_io(lab, disk, READ);
}

fn families(lab: &Lab) -> (&dyn contract::Disks, &dyn contract::Compute, &dyn contract::Images) {
    let cloud = &lab.cloud;
    (
        cloud.disks().unwrap(),
        cloud.compute().unwrap(),
        cloud.images().unwrap(),
    )
}

fn digest(image: &ExternalRef) -> &str {
    image.as_str().split_once('/').unwrap().1
}

/// An image of a gibibyte, with nothing in it.
fn larger() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("larger.qcow2");
    said(
        Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2"])
            .arg(&path)
            .arg("1G"),
    );
    std::fs::read(path).unwrap()
}

fn qemu_io(lab: &Lab, disk: &ExternalRef, command: &str) {
    // It answers a pattern that differs with success.
    let printed = said(
        Command::new("qemu-io")
            .args(["-f", "qcow2", "-c", command])
            .arg(lab.disk_file(disk)),
    );
    assert!(!printed.contains("failed"), "{command}: {printed}");
}

/// The file and the format that a disk stands on, as qemu sees it.
fn below(lab: &Lab, disk: &ExternalRef) -> (String, String) {
    let info = said(
        Command::new("qemu-img")
            .args(["info", "--output=json"])
            .arg(lab.disk_file(disk)),
    );
    let info: Value = serde_json::from_str(&info).unwrap();
    let text = |key: &str| info[key].as_str().unwrap().to_owned();
    (text("backing-filename"), text("backing-filename-format"))
}

/// The guest image and zeros up to the size of the disk, or so for the raw one.
fn assert_holds(lab: &Lab, disk: &ExternalRef, image: &ExternalRef) {
    let (file, format) = below(lab, disk);
    assert_eq!(Path::new(&file), lab.image_file(image, &format));
    said(
        Command::new("qemu-img")
            .args(["compare", "-q", "-f", "qcow2", "-F", &format])
            .arg(lab.disk_file(disk))
            .arg(file),
    );
}
