//! One host: a libvirtd of its own in a network namespace, a controller that takes hosts in, an agent as a process.

mod controller;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use contract::{Call, Cloud, Driver, ExternalRef, ImageSpec, Op, Site, Token, site::Place};
use futures::StreamExt;
use sha2::{Digest, Sha512};
use types::Size;

pub use controller::Controller;

/// Set for a process that is to be an agent: data directory, controller, token, libvirt, one a line.
const AGENT: &str = "ISOBAR_TEST_AGENT";

pub struct Lab {
    dir: tempfile::TempDir,
    pub controller: Controller,
    pub uri: String,
    /// Where libvirt's bridges and guests are.
    netns: String,
    pub cloud: Arc<dyn Cloud>,
    agent: Option<Child>,
}

impl Lab {
    pub async fn open() -> Self {
        let dir = tempfile::Builder::new().prefix("isobar-kvm-").tempdir().unwrap();
        let started = tool(&["libvirt", "start", &state(dir.path()), "--isolated"]);
        let told = |key: &str| {
            started
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .unwrap()
                .to_owned()
        };
        let (uri, netns) = (told("LIBVIRT_URI="), told("LIBVIRT_NETNS="));
        let controller = Controller::start().await;
        let mut lab = Self {
            cloud: kvm::Kvm.connect(&call(), &controller.site(Vec::new())).await.unwrap(),
            dir,
            controller,
            uri,
            netns,
            agent: None,
        };
        lab.start_agent().await;
        lab
    }

    /// Starts the agent and waits until it answers. It reaches the controller over our network, while its `/sys` shows
    /// the interfaces of libvirt's, as it would on a host that has one network for both.
    pub async fn start_agent(&mut self) {
        let data = self.dir.path().join("agent").display().to_string();
        let options = [&data, &self.controller.url, &self.controller.token, &self.uri].map(String::as_str);
        let ours = format!("--net=/proc/{}/ns/net", std::process::id());
        let child = Command::new("ip")
            .args(["netns", "exec", &self.netns, "nsenter", &ours])
            .arg(std::env::current_exe().unwrap())
            .args(["lab::an_agent_needs_a_controller", "--exact", "--nocapture"])
            .env(AGENT, options.join("\n"))
            .env(
                "PATH",
                format!("{}:{}", self.tools().display(), std::env::var("PATH").unwrap()),
            )
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.agent = Some(child);
        let joined = until("the agent joined", || async { self.controller.hosts().pop() }).await;
        self.cloud = kvm::Kvm
            .connect(&call(), &self.controller.site(vec![joined]))
            .await
            .unwrap();
        until("the agent answered", || async {
            let page = self.cloud.hosts().unwrap().list(&call(), None).await.unwrap();
            page.items.into_iter().find(|host| host.reachable)
        })
        .await;
    }

    pub fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill().unwrap();
            agent.wait().unwrap();
        }
    }

    /// Where an agent that is started finds programs first.
    pub fn tools(&self) -> PathBuf {
        self.dir.path().join("tools")
    }

    /// The controller comes back as another process, with connections of its own.
    pub async fn reconnect(&mut self) {
        self.cloud = kvm::Kvm.connect(&call(), &self.site()).await.unwrap();
    }

    /// Ends libvirtd by force and starts it again; guests do not notice.
    pub fn restart_libvirtd(&self) {
        let pid = std::fs::read_to_string(self.dir.path().join("libvirt/run/libvirtd.pid")).unwrap();
        let killed = Command::new("kill").args(["-9", pid.trim()]).status().unwrap();
        assert!(killed.success());
        tool(&["libvirt", "start", &state(self.dir.path()), "--isolated"]);
    }

    pub fn site(&self) -> Site {
        self.controller.site(self.controller.hosts())
    }

    pub fn host(&self) -> ExternalRef {
        self.controller.hosts()[0].host.clone()
    }

    pub fn place(&self) -> Place {
        Place {
            host: Some(self.host()),
            ..Place::default()
        }
    }

    /// Files in a directory of the agent.
    pub fn files(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path().join("agent").join(dir)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// The file of a disk.
    pub fn disk_file(&self, disk: &ExternalRef) -> PathBuf {
        let (_, id) = disk.as_str().split_once('/').unwrap();
        self.dir.path().join(format!("agent/pool/{id}.qcow2"))
    }

    /// The file of an image.
    pub fn image_file(&self, image: &ExternalRef, format: &str) -> PathBuf {
        let (_, digest) = image.as_str().split_once('/').unwrap();
        self.dir.path().join(format!("agent/images/{digest}.{format}"))
    }

    pub fn virsh(&self, args: &[&str]) -> String {
        said(Command::new("virsh").args(["-q", "-c", &self.uri]).args(args))
    }

    /// `ip` in the network of the host.
    pub fn ip(&self, args: &[&str]) -> String {
        said(Command::new("ip").args(["-n", &self.netns]).args(args))
    }

    /// Puts the guest image on the host.
    pub async fn image(&self) -> ExternalRef {
        self.upload(std::fs::read(guest_image()).unwrap(), "qcow2").await
    }

    pub async fn upload(&self, bytes: Vec<u8>, format: &str) -> ExternalRef {
        let bytes = bytes::Bytes::from(bytes);
        let spec = ImageSpec {
            name: "guest".to_owned(),
            digest: hex::encode(Sha512::digest(&bytes)),
            format: format.to_owned(),
            size: Size::bytes(bytes.len() as u64),
        };
        let chunks: Vec<_> = bytes.chunks(1 << 20).map(|chunk| Ok(bytes.slice_ref(chunk))).collect();
        let content = futures::stream::iter(chunks).boxed();
        self.cloud
            .images()
            .unwrap()
            .upload(&call(), &spec, &self.place(), content)
            .await
            .unwrap()
    }

    /// Nothing of ours is left: no server, disk, network, image, nor a file of one.
    pub async fn assert_empty(&self) {
        let call = call();
        assert_eq!(self.cloud.compute().unwrap().list(&call, None).await.unwrap().items, []);
        assert_eq!(self.cloud.disks().unwrap().list(&call, None).await.unwrap().items, []);
        assert_eq!(
            self.cloud.networks().unwrap().list(&call, None).await.unwrap().items,
            []
        );
        for dir in ["pool", "seeds", "console", "images"] {
            assert_eq!(self.files(dir), Vec::<String>::new(), "in {dir}");
        }
        assert_eq!(self.virsh(&["list", "--all", "--name"]), "");
        assert_eq!(self.virsh(&["net-list", "--all", "--name"]), "");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.kill_agent();
        tool(&["libvirt", "stop", &state(self.dir.path())]);
    }
}

/// The agent's own process is this test binary with [`AGENT`] set; without it, the test checks a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_needs_a_controller() {
    let Ok(told) = std::env::var(AGENT) else {
        let dir = tempfile::tempdir().unwrap();
        let mut options = kvm::agent::Options::new("nonsense", "secret.00", dir.path());
        options.accel = kvm::agent::accel::Wish::Qemu;
        tokio::time::timeout(
            Duration::from_millis(500),
            kvm::agent::run(options, std::future::pending()),
        )
        .await
        .expect_err("it waits for a controller that is not there");
        return;
    };
    let [data, join, token, uri] = told.lines().collect::<Vec<_>>()[..] else {
        panic!("{AGENT} has the wrong shape");
    };
    let mut options = kvm::agent::Options::new(join, token, data);
    options.libvirt_uri = uri.to_owned();
    kvm::agent::run(options, std::future::pending()).await.unwrap();
}

pub fn call() -> Call {
    Call::new("test", Duration::from_secs(60))
}

pub fn done<T>(op: Op<T>) -> T {
    match op {
        Op::Done(value) => value,
        Op::Pending { operation, .. } => panic!("{operation} is pending"),
    }
}

pub fn token(text: &str) -> Token {
    Token::new(text)
}

/// Looks until there is something, for a minute.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let end = tokio::time::Instant::now() + Duration::from_secs(90);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a command that succeeds prints.
pub fn said(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn state(dir: &Path) -> String {
    dir.join("libvirt").display().to_string()
}

fn guest_image() -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guest");
    tool(&["guest-image/build", &dir.display().to_string()]);
    dir.join("guest.qcow2")
}

fn tool(command: &[&str]) -> String {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools");
    let out = Command::new(tools.join(command[0]))
        .args(&command[1..])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "tools/{} failed: install what a host needs with `tools/install host`, and run as root",
        command.join(" ")
    );
    String::from_utf8(out.stdout).unwrap()
}
