//! `isobar doctor` on a machine where nothing has been started: it looks, and leaves nothing behind.

use crate::kit::{Site, program};

#[test]
fn doctor_leaves_nothing_behind() {
    let site = Site::new();
    let absent = site.path("absent/data");
    let text = doctor(&absent);
    assert!(text.contains("made at the first start"), "{text}");
    assert!(!site.path("absent").exists(), "doctor made the data directory");

    let empty = site.path("empty");
    std::fs::create_dir(&empty).unwrap();
    doctor(&empty);
    let left: Vec<_> = std::fs::read_dir(&empty).unwrap().collect();
    assert!(left.is_empty(), "doctor left {left:?}");
}

/// What it prints. Its exit code depends on the programs of this machine; these two lines do not.
fn doctor(data: &std::path::Path) -> String {
    let run = program("isobar")
        .args(["doctor", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    for line in ["ok    data directory", "ok    database"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    text
}
