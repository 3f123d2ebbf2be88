//! Answers that get lost: the work is done once all the same, and whoever asks again with the token learns it.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use contract::{Driver, ExternalRef, site::Endpoint};

use crate::{
    lab::{Controller, Lab, call, done, token, until},
    life::volume,
};

/// A `qemu-img` whose snapshots wait at a gate, before or after the work, and are counted.
struct Gate {
    dir: PathBuf,
}

impl Gate {
    async fn at(lab: &mut Lab, place: &str) -> Self {
        let dir = lab.tools();
        fs::create_dir_all(&dir).unwrap();
        let real = Command::new("sh").args(["-c", "command -v qemu-img"]).output().unwrap();
        let real = String::from_utf8(real.stdout).unwrap();
        let script = format!(
            "#!/bin/sh\ncd {dir}\npass() {{ touch $1; if [ -p $1-gate ]; then : < $1-gate; fi; }}\n\
             if [ \"$1 $3\" != 'snapshot -c' ]; then exec {real} \"$@\"; fi\n\
             echo once >> taken\npass before\n{real} \"$@\" || exit\npass after\n",
            dir = dir.display(),
            real = real.trim(),
        );
        fs::write(dir.join("qemu-img"), script).unwrap();
        fs::set_permissions(dir.join("qemu-img"), fs::Permissions::from_mode(0o755)).unwrap();
        let gate = dir.join(format!("{place}-gate"));
        assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
        lab.kill_agent();
        lab.start_agent().await;
        Self { dir }
    }

    /// Until a snapshot stands at the gate.
    async fn reached(&self, place: &str) {
        until("the gate was reached", || async {
            self.dir.join(place).exists().then_some(())
        })
        .await;
    }

    /// Lets go who stands there, and from now on everybody.
    fn open(&self, place: &str) {
        let gate = self.dir.join(format!("{place}-gate"));
        let aside = self.dir.join("opened");
        fs::rename(gate, &aside).unwrap();
        drop(OpenOptions::new().write(true).open(aside).unwrap());
    }

    fn taken(&self) -> usize {
        fs::read_to_string(self.dir.join("taken")).unwrap().lines().count()
    }
}

async fn disk(lab: &Lab) -> ExternalRef {
    let spec = volume(lab, "data", None);
    let made = lab.cloud.disks().unwrap().create(&call(), &spec, &token("disk")).await;
    done(made.unwrap())
}

async fn snapshot(lab: &Lab, disk: &ExternalRef) -> contract::Result<ExternalRef> {
    let snapshots = lab.cloud.snapshots().unwrap();
    snapshots.create(&call(), disk, "one", &token("snap")).await.map(done)
}

/// What there is, with the token that made it.
async fn there(lab: &Lab, disk: &ExternalRef) -> Vec<ExternalRef> {
    let facts = lab.cloud.snapshots().unwrap().list(&call(), disk).await.unwrap();
    assert!(
        facts.iter().all(|facts| facts.token == Some(token("snap"))),
        "{facts:?}"
    );
    facts.into_iter().map(|facts| facts.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_doing_and_answering_it_answers_the_next_time() {
    let mut lab = Lab::open().await;
    let disk = disk(&lab).await;
    let gate = Gate::at(&mut lab, "after").await;
    tokio::select! {
        early = snapshot(&lab, &disk) => panic!("it answered before the work was over: {early:?}"),
        () = gate.reached("after") => {}
    }
    lab.kill_agent();
    gate.open("after");
    lab.start_agent().await;
    let made = snapshot(&lab, &disk).await.unwrap();
    assert_eq!((there(&lab, &disk).await, gate.taken()), (vec![made], 1));
    done(lab.cloud.disks().unwrap().delete(&call(), &disk).await.unwrap());
    lab.assert_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_comes_back_learns_what_was_done_meanwhile() {
    let mut lab = Lab::open().await;
    let disk = disk(&lab).await;
    let gate = Gate::at(&mut lab, "before").await;
    tokio::select! {
        early = snapshot(&lab, &disk) => panic!("it answered before the work was over: {early:?}"),
        () = gate.reached("before") => {}
    }
    lab.reconnect().await;
    // The work goes on behind its lock: who asks meanwhile waits for it instead of beginning it again.
    let asked = snapshot(&lab, &disk);
    tokio::pin!(asked);
    let early = tokio::time::timeout(Duration::from_millis(300), &mut asked).await;
    assert!(early.is_err(), "it was done twice: {early:?}");
    gate.open("before");
    let made = asked.await.unwrap();
    assert_eq!((there(&lab, &disk).await, gate.taken()), (vec![made], 1));
    done(lab.cloud.disks().unwrap().delete(&call(), &disk).await.unwrap());
    lab.assert_empty().await;
}

/// Two hosts accept the connection and never say a word; they are named, at the price of one.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_say_nothing_are_waited_for_together() {
    let mute = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let hosts = mute.iter().map(|listener| Endpoint {
        host: ExternalRef::new(types::HostId::new().to_string()),
        url: format!("https://{}", listener.local_addr().unwrap()),
    });
    let site = Controller::start().await.site(hosts.collect());
    let cloud = kvm::Kvm.connect(&call(), &site).await.unwrap();
    let (began, call) = (Instant::now(), call().within(Duration::from_secs(4)));
    let page = cloud.compute().unwrap().list(&call, None).await.unwrap();
    assert_eq!((page.items.len(), page.skipped.len(), page.next), (0, 2, None));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let page = cloud.hosts().unwrap().list(&call, None).await;
    assert!(page.is_ok_and(|page| page.items.iter().all(|host| !host.reachable)));
}
