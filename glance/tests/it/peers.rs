//! Servers and clients that nobody here wrote, run for one test and stopped with it.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

pub const KEY: &str = "AKTEST";
pub const SECRET: &str = "sktest-secret";

/// A program of `target/`, or a sentence about how to get it.
pub fn program(path: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    );
    let program = target.join(path);
    assert!(
        program.exists(),
        "{} is missing: run tools/install test",
        program.display()
    );
    program
}

/// A running server.
pub struct Peer {
    child: Child,
    pub url: String,
    _dir: tempfile::TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The S3 server that checks signatures, with a bucket `images`.
pub async fn s3s() -> Peer {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("images")).unwrap();
    let port = free_port();
    let mut command = Command::new(program("tools/bin/s3s-fs"));
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
    command
        .args(["--access-key", KEY, "--secret-key", SECRET])
        .arg(dir.path());
    start(command, port, dir).await
}

/// moto's S3, with a bucket `images`.
pub async fn moto() -> Peer {
    let port = free_port();
    let mut command = Command::new(program("venv/bin/moto_server"));
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    let peer = start(command, port, tempfile::tempdir().unwrap()).await;
    let made = reqwest::Client::new()
        .put(format!("{}/images", peer.url))
        .send()
        .await
        .unwrap();
    assert!(made.status().is_success(), "{}", made.status());
    peer
}

async fn start(mut command: Command, port: u16, dir: tempfile::TempDir) -> Peer {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let peer = Peer {
        child,
        url: format!("http://127.0.0.1:{port}"),
        _dir: dir,
    };
    let up = async {
        let mut beat = tokio::time::interval(Duration::from_millis(50));
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            beat.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), up)
        .await
        .expect("the peer did not start");
    peer
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
