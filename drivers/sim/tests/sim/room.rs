//! Capacity, and the knobs of the credential.

use contract::{ExternalRef, Kind, Op, Token, compute::Shape};
use serde_json::json;
use types::{Size, states::Power};

use super::{call, connect, done, machine, make, site, volume};

#[tokio::test]
async fn a_full_host_takes_no_more_and_an_emptied_one_does() {
    let options = json!({"hosts": "2", "memory_per_host": "2G", "disk_per_host": "10G"});
    let cloud = connect(&site("full", options)).await;
    for name in ["a", "b", "c", "d"] {
        make(&*cloud, name).await;
    }
    let compute = cloud.compute().unwrap();
    let error = compute
        .create(&call(), &machine("e"), &Token::new("e"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Capacity);
    let first = compute.find(&call(), &Token::new("a")).await.unwrap().unwrap();
    done(compute.delete(&call(), &first.id).await.unwrap());
    make(&*cloud, "e").await;

    let disks = cloud.disks().unwrap();
    let id = done(
        disks
            .create(&call(), &volume(Size::gib(8)), &Token::new("v"))
            .await
            .unwrap(),
    );
    let error = disks.resize(&call(), &id, Size::gib(11)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Capacity);
    done(disks.resize(&call(), &id, Size::gib(10)).await.unwrap());
    let host = disks.get(&call(), &id).await.unwrap().host.unwrap();
    let facts = cloud.hosts().unwrap().get(&call(), &host).await.unwrap();
    assert_eq!(facts.storages[0].used, Size::gib(10));
}

#[tokio::test]
async fn vcpus_are_shared_as_often_as_told() {
    let options = json!({"hosts": 1, "vcpus_per_host": 2, "cpu_overcommit": 2});
    let cloud = connect(&site("vcpus", options)).await;
    let mut spec = machine("a");
    spec.shape = Shape { vcpus: 4, ..spec.shape };
    let compute = cloud.compute().unwrap();
    done(compute.create(&call(), &spec, &Token::new("a")).await.unwrap());
    let error = compute
        .create(&call(), &machine("b"), &Token::new("b"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Capacity);
}

#[tokio::test]
async fn slow_operations_are_pending_and_repeating_joins_them() {
    let cloud = connect(&site("slow", json!({"latency_ms": 3_600_000}))).await;
    let compute = cloud.compute().unwrap();
    let first = compute.create(&call(), &machine("a"), &Token::new("a")).await.unwrap();
    let Op::Pending { operation, .. } = &first else {
        panic!("{first:?}")
    };
    let again = compute.create(&call(), &machine("a"), &Token::new("a")).await.unwrap();
    let Op::Pending { operation: joined, .. } = &again else {
        panic!("{again:?}")
    };
    assert_eq!(operation, joined);
    let id = compute.find(&call(), &Token::new("a")).await.unwrap().unwrap().id;
    let start = compute.start(&call(), &id).await.unwrap();
    assert!(matches!(start, Op::Pending { .. }));
    assert_eq!(compute.get(&call(), &id).await.unwrap().power, Power::Off, "not yet");
    assert_eq!(compute.console_log(&call(), &id, 1000).await.unwrap(), "");
}

#[tokio::test]
async fn every_call_fails_at_a_rate_of_one_half_of_them_after_the_effect() {
    let cloud = connect(&site("failing", json!({"failure_rate": 1, "seed": 7}))).await;
    let compute = cloud.compute().unwrap();
    for n in 0..40 {
        let name = format!("s{n}");
        let error = compute
            .create(&call(), &machine(&name), &Token::new(name))
            .await
            .unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
    }
    let control = sim::Control::open(&site("failing", json!({"seed": 7}))).unwrap();
    let made = control.world().await.unwrap().machines.len();
    assert!((8..32).contains(&made), "{made} of 40 lost their answer only");
}

#[tokio::test]
async fn the_guest_says_who_it_is() {
    let cloud = connect(&site("console", json!(null))).await;
    let mut spec = machine("web");
    spec.seed.hostname = "web-1".to_owned();
    let compute = cloud.compute().unwrap();
    let id: ExternalRef = done(compute.create(&call(), &spec, &Token::new("web")).await.unwrap());
    done(compute.start(&call(), &id).await.unwrap());
    let log = compute.console_log(&call(), &id, 10_000).await.unwrap();
    assert!(
        log.contains("Isobar guest: hello from web-1\n") && log.ends_with("Isobar guest: ready\n"),
        "{log}"
    );
    assert_eq!(compute.console_log(&call(), &id, 7).await.unwrap(), " ready\n");
}
