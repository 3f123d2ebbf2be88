//! Programs of others that these tests need. One that is missing is a failed test with the cure, never a passed one.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use testkit::Database;

use super::Site;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the unmodified OpenStack client answers, logged in with `admin.env`.
pub fn openstack(site: &Site, words: &str) -> Value {
    let client = root().join("target/venv/bin/openstack");
    let run = Command::new(&client)
        .args(words.split_whitespace())
        .args(["-f", "json"])
        .envs(site.login())
        .env("HOME", site.directory())
        .output()
        .unwrap_or_else(|e| panic!("{}: {e}: run tools/install test", client.display()));
    let error = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "openstack {words}\n{error}");
    serde_json::from_slice(&run.stdout).unwrap()
}

/// An empty database on the test server.
pub fn postgres() -> (Database, String) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let database = runtime.block_on(Database::postgres(&[]));
    let url = database.url.clone();
    (database, url)
}

/// A PostgreSQL of this test alone, which may be crashed.
pub struct Postgres {
    directory: PathBuf,
    pub url: String,
}

impl Postgres {
    pub fn start(site: &Site) -> Self {
        let directory = site.path("postgres");
        let text = tool(&["postgres", "start", directory.to_str().unwrap()]);
        let url = text.trim().strip_prefix("ISOBAR_TEST_POSTGRES=").unwrap().to_owned();
        Self { directory, url }
    }

    /// kill -9 of every process of it; it recovers from its log and serves again.
    pub fn crash(&self) {
        tool(&["postgres", "crash", self.directory.to_str().unwrap()]);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        stop("postgres", &self.directory);
    }
}

/// The small bootable guest; made when it is not there.
pub fn guest_image() -> PathBuf {
    let directory = root().join("target/guest");
    tool(&["guest-image/build", directory.to_str().unwrap()]);
    directory.join("guest.qcow2")
}

/// A libvirt of its own, in a network namespace of its own, ended with its guests when it goes out of scope.
pub struct Libvirt {
    state: PathBuf,
    pub uri: String,
}

impl Libvirt {
    pub fn start(site: &Site) -> Self {
        let state = site.path("libvirt");
        let text = tool(&["libvirt", "start", state.to_str().unwrap(), "--isolated"]);
        let uri = text.lines().find_map(|line| line.strip_prefix("LIBVIRT_URI=")).unwrap();
        Self {
            state,
            uri: uri.to_owned(),
        }
    }

    /// The lines that virsh prints.
    pub fn virsh(&self, words: &str) -> Vec<String> {
        let run = Command::new("virsh")
            .args(["-q", "-c", &self.uri])
            .args(words.split_whitespace())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "virsh {words}\n{error}");
        let lines = String::from_utf8(run.stdout).unwrap();
        lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        stop("libvirt", &self.state);
    }
}

/// For what goes out of scope: a failure to stop is told, and hides no failed test.
fn stop(name: &str, directory: &Path) {
    let stopped = Command::new(root().join("tools").join(name))
        .arg("stop")
        .arg(directory)
        .status();
    if !stopped.is_ok_and(|status| status.success()) {
        eprintln!("tools/{name} could not stop what runs in {}", directory.display());
    }
}

fn tool(command: &[&str]) -> String {
    let out = Command::new(root().join("tools").join(command[0]))
        .args(&command[1..])
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "tools/{} failed: install what it needs with `tools/install host test`, and run as root\n{}",
        command.join(" "),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}
