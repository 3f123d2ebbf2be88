//! One journal, several processes, torn lines. The other processes are this test binary, started again.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command},
};

use contract::Token;
use serde_json::json;
use sim::Control;
use types::states::Power;

use super::{call, connect, done, machine, make, site};

/// Tells a started-again test binary which journal to write.
const JOURNAL: &str = "SIM_TEST_JOURNAL";
const SERVERS: usize = 60;

fn again(journal: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::three_processes_make_each_thing_once"])
        .env(JOURNAL, journal)
        .spawn()
        .unwrap()
}

/// Every process makes and starts the same servers; each of them may be the first.
async fn work(journal: &Path) {
    let cloud = connect(&site("shared", json!({"state": journal}))).await;
    let compute = cloud.compute().unwrap();
    for n in 0..SERVERS {
        let name = format!("s{n}");
        let id = done(
            compute
                .create(&call(), &machine(&name), &Token::new(name.as_str()))
                .await
                .unwrap(),
        );
        done(compute.start(&call(), &id).await.unwrap());
    }
}

#[tokio::test]
async fn three_processes_make_each_thing_once() {
    if let Some(journal) = std::env::var_os(JOURNAL) {
        return work(Path::new(&journal)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("cloud.jsonl");
    let mut others: Vec<_> = (0..2).map(|_| again(&journal)).collect();
    work(&journal).await;
    for other in &mut others {
        assert!(other.wait().unwrap().success());
    }
    let control = Control::open(&site("shared", json!({"state": journal}))).unwrap();
    let world = control.world().await.unwrap();
    assert_eq!(world.machines.len(), SERVERS);
    assert!(world.machines.values().all(|m| m.power == Power::On && m.boots == 1));
    assert_eq!(control.doubled().await.unwrap(), Vec::<String>::new());
    assert_eq!(control.effects().await.unwrap().len(), SERVERS);
}

#[tokio::test]
async fn a_killed_process_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("cloud.jsonl");
    let mut other = again(&journal);
    // A level, not a time: it has begun to write.
    while fs::read_to_string(&journal).map_or(0, |text| text.lines().count()) < 5 {
        tokio::task::yield_now().await;
    }
    other.kill().unwrap();
    other.wait().unwrap();
    work(&journal).await;
    let control = Control::open(&site("shared", json!({"state": journal}))).unwrap();
    assert_eq!(control.world().await.unwrap().machines.len(), SERVERS);
    assert_eq!(control.doubled().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_torn_line_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("cloud.jsonl");
    let here = site("torn", json!({"state": journal}));
    let cloud = connect(&here).await;
    make(&*cloud, "a").await;
    let mut file = fs::File::options().append(true).open(&journal).unwrap();
    file.write_all(b"[{\"machine_gone\":\"vm-00").unwrap();
    assert_eq!(
        cloud.compute().unwrap().list(&call(), None).await.unwrap().items.len(),
        1
    );
    make(&*cloud, "b").await;
    drop(cloud);
    // Whoever reads it from the beginning sees the same.
    let lines = fs::read_to_string(&journal).unwrap();
    assert!(!lines.contains("machine_gone"), "{lines}");
    let cloud = connect(&here).await;
    assert_eq!(
        cloud.compute().unwrap().list(&call(), None).await.unwrap().items.len(),
        2
    );
}

#[tokio::test]
async fn a_directory_holds_one_cloud_per_account() {
    let folder = tempfile::tempdir().unwrap();
    for account in ["one", "two"] {
        let cloud = connect(&site(account, json!({"state": folder.path()}))).await;
        make(&*cloud, "only").await;
        assert_eq!(
            cloud.compute().unwrap().list(&call(), None).await.unwrap().items.len(),
            1
        );
    }
    assert!(folder.path().join("two.jsonl").is_file());
}
