//! The unmodified OpenStack client: create from a file, list, show, set, save, delete, and how it shows our errors.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    peers,
    world::{MEMBER, World, noise, qemu_image},
};

/// Runs `openstack` without a keystone: a token and an endpoint are enough for it.
async fn openstack(base: &str, dir: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(peers::program("venv/bin/openstack"));
    command
        .env_clear()
        .current_dir(dir)
        .env("HOME", dir)
        .env("PATH", "/usr/bin:/bin");
    let endpoint = format!("{base}/image/v2");
    command.args([
        "--os-auth-type",
        "admin_token",
        "--os-token",
        MEMBER,
        "--os-endpoint",
        &endpoint,
    ]);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

#[tokio::test]
async fn the_openstack_client_works_unchanged() {
    let world = World::new().await;
    let (base, dir) = (world.listen().await, tempfile::tempdir().unwrap());
    let run = async |arguments: &[&str]| openstack(&base, dir.path(), arguments).await;
    let bytes = noise(1, 100);
    std::fs::write(dir.path().join("disk.raw"), &bytes).unwrap();
    let create = [
        "image",
        "create",
        "deb",
        "--file",
        "disk.raw",
        "--disk-format",
        "raw",
        "--property",
        "os_distro=debian",
    ];
    let made = run(&[&create[..], &["-f", "json"]].concat()).await.unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["name"], "deb");
    let shown: Value = serde_json::from_str(&run(&["image", "show", "deb", "-f", "json"]).await.unwrap()).unwrap();
    assert_eq!(
        (&shown["status"], &shown["size"]),
        (&"active".into(), &bytes.len().into())
    );
    assert_eq!(shown["properties"]["os_distro"], "debian");
    let listed = run(&["image", "list", "--long", "-f", "json"]).await.unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed[0]["Name"], &listed[0]["Disk Format"]),
        (&"deb".into(), &"raw".into())
    );
    run(&[
        "image",
        "set",
        "deb",
        "--name",
        "debian",
        "--property",
        "a=b",
        "--tag",
        "x",
        "--protected",
    ])
    .await
    .unwrap();
    let refused = run(&["image", "delete", "debian"]).await.unwrap_err();
    assert!(
        refused.contains("is protected: unset its protection before you delete it"),
        "{refused}"
    );
    run(&["image", "set", "debian", "--unprotected"]).await.unwrap();
    run(&["image", "unset", "debian", "--property", "a", "--tag", "x"])
        .await
        .unwrap();
    run(&["image", "save", "debian", "--file", "saved"]).await.unwrap();
    assert!(std::fs::read(dir.path().join("saved")).unwrap() == bytes);
    run(&["image", "delete", "debian"]).await.unwrap();
    assert_eq!(run(&["image", "list", "-f", "value"]).await.unwrap(), "");
    assert_eq!((world.used("images").await, world.files("contents").len()), (0, 0));
}

#[tokio::test]
async fn the_openstack_client_shows_our_sentences_and_imports() {
    let world = World::new().await;
    let (base, dir) = (world.listen().await, tempfile::tempdir().unwrap());
    let run = async |arguments: &[&str]| openstack(&base, dir.path(), arguments).await;
    std::fs::write(dir.path().join("disk"), qemu_image(&["-f", "qcow2"])).unwrap();
    let refused = run(&["image", "create", "x", "--file", "disk", "--disk-format", "raw"])
        .await
        .unwrap_err();
    assert!(refused.contains("the file is qcow2, not raw"), "{refused}");
    let missing = run(&["image", "show", "8c5a2b1e-0000-4000-8000-000000000001"])
        .await
        .unwrap_err();
    assert!(missing.contains("No Image found for"), "{missing}");
    run(&[
        "image",
        "create",
        "y",
        "--file",
        "disk",
        "--disk-format",
        "qcow2",
        "--import",
    ])
    .await
    .unwrap();
    let shown: Value = serde_json::from_str(&run(&["image", "show", "y", "-f", "json"]).await.unwrap()).unwrap();
    assert_eq!(
        (&shown["status"], &shown["virtual_size"]),
        (&"active".into(), &(4 << 20).into())
    );
    let methods = run(&["image", "import", "info", "-f", "json"]).await.unwrap();
    assert!(methods.contains("web-download"), "{methods}");
}
