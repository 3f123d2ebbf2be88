//! What a host does not do, and how it says so. Nothing is left of any of it.

use contract::{Error, ExternalRef, ImageSpec, Kind, NetworkSpec, network::Mode};
use futures::StreamExt;
use sha2::{Digest, Sha512};
use types::Size;

use crate::{
    lab::{Lab, call, token},
    life::{machine, volume},
};

#[tokio::test(flavor = "multi_thread")]
async fn odd_wishes_are_refused_in_words() {
    let lab = Lab::open().await;
    let cloud = &lab.cloud;
    let mut huge = volume(&lab, "huge", None);
    huge.size = Size::gib(1 << 20);
    let mut lost = volume(&lab, "lost", None);
    lost.image = Some(ExternalRef::new(format!("{}/{}", lab.host(), "0".repeat(128))));
    let foreign = machine(
        &lab,
        "foreign",
        &ExternalRef::new(format!("host-2/{}", uuid::Uuid::nil())),
        Vec::new(),
    );
    let bridged = NetworkSpec {
        name: "outside".to_owned(),
        cidr: "192.0.2.0/24".to_owned(),
        gateway: "192.0.2.1".to_owned(),
        mode: Mode::Bridge {
            bridge: "nobridge0".to_owned(),
        },
    };
    let (disks, networks) = (cloud.disks().unwrap(), cloud.networks().unwrap());
    let told: [(&str, Option<Error>, Kind, &str); 5] = [
        (
            "a disk larger than the pool",
            disks.create(&call(), &huge, &token("huge")).await.err(),
            Kind::Capacity,
            "pool_full",
        ),
        (
            "a disk from no image",
            disks.create(&call(), &lost, &token("lost")).await.err(),
            Kind::NotFound,
            "not_found",
        ),
        (
            "a server with a disk of another host",
            cloud
                .compute()
                .unwrap()
                .create(&call(), &foreign, &token("foreign"))
                .await
                .err(),
            Kind::Invalid,
            "other_host",
        ),
        (
            "a bridge that is not there",
            networks
                .create(&call(), &bridged, &lab.place(), &token("bridged"))
                .await
                .err(),
            Kind::Invalid,
            "no_bridge",
        ),
        (
            "an image that reads /etc/passwd",
            upload(&lab, &trojan()).await.err(),
            Kind::Invalid,
            "image_not_flat",
        ),
    ];
    for (what, error, kind, code) in told {
        let error = error.unwrap_or_else(|| panic!("{what} was taken"));
        assert_eq!(
            (error.kind, error.code.as_str()),
            (kind, code),
            "{what}: {}",
            error.chain()
        );
    }
    lab.assert_empty().await;
}

async fn upload(lab: &Lab, bytes: &[u8]) -> contract::Result<ExternalRef> {
    let spec = ImageSpec {
        name: "trojan".to_owned(),
        digest: hex::encode(Sha512::digest(bytes)),
        format: "qcow2".to_owned(),
        size: Size::bytes(bytes.len() as u64),
    };
    let content = futures::stream::iter([Ok(bytes.to_vec().into())]).boxed();
    lab.cloud
        .images()
        .unwrap()
        .upload(&call(), &spec, &lab.place(), content)
        .await
}

/// What `qemu-img create -b /etc/passwd` makes.
fn trojan() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trojan.qcow2");
    let made = std::process::Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw"])
        .arg(&path)
        .status();
    assert!(made.expect("install qemu-utils (tools/install host)").success());
    std::fs::read(path).unwrap()
}
