//! What tests do to the cloud behind Isobar's back.

use std::time::Duration;

use contract::{
    ExternalRef, Kind, Token,
    compute::{Sign, Stop},
};
use serde_json::json;
use sim::{Control, control::Reach, world::Side};
use types::{Size, states::Power};

use super::{call, connect, done, machine, make, site, volume};

#[tokio::test]
async fn power_and_presence() {
    let here = site("power", json!(null));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let (a, compute) = (make(&*cloud, "a").await, cloud.compute().unwrap());
    done(compute.start(&call(), &a).await.unwrap());
    control.power_off(&a).await.unwrap();
    assert_eq!(compute.get(&call(), &a).await.unwrap().power, Power::Off);
    done(compute.start(&call(), &a).await.unwrap());
    control.crash(&a).await.unwrap();
    assert_eq!(compute.get(&call(), &a).await.unwrap().power, Power::Crashed);
    control.remove(&a).await.unwrap();
    assert_eq!(compute.get(&call(), &a).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(compute.find(&call(), &Token::new("a")).await.unwrap(), None);
}

#[tokio::test]
async fn a_guest_boots_for_as_long_as_the_options_say() {
    let here = site("boots", json!({"boot_ms": 3_600_000}));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let (a, compute) = (make(&*cloud, "a").await, cloud.compute().unwrap());
    let sign = async || compute.get(&call(), &a).await.unwrap().sign;
    assert_eq!(sign().await, None);
    done(compute.start(&call(), &a).await.unwrap());
    assert_eq!(sign().await, Some(Sign::Awaited));
    control.come_up(&a).await.unwrap();
    assert_eq!(sign().await, Some(Sign::Given));
    done(compute.stop(&call(), &a, Stop::Hard).await.unwrap());
    assert_eq!(sign().await, None);
    done(compute.start(&call(), &a).await.unwrap());
    assert_eq!(
        sign().await,
        Some(Sign::Awaited),
        "the sign of the last power-on does not count"
    );
}

#[tokio::test]
async fn a_deaf_guest_needs_force() {
    let here = site("deaf", json!(null));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let (a, compute) = (make(&*cloud, "a").await, cloud.compute().unwrap());
    done(compute.start(&call(), &a).await.unwrap());
    control.deafen(&a).await.unwrap();
    done(compute.stop(&call(), &a, Stop::Soft).await.unwrap());
    assert_eq!(compute.get(&call(), &a).await.unwrap().power, Power::On);
    done(compute.stop(&call(), &a, Stop::Hard).await.unwrap());
    assert_eq!(compute.get(&call(), &a).await.unwrap().power, Power::Off);
}

#[tokio::test]
async fn a_silent_host_is_listed_and_its_servers_are_unknown() {
    let here = site("silent", json!({"hosts": 1}));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let (a, compute) = (make(&*cloud, "a").await, cloud.compute().unwrap());
    let host = compute.get(&call(), &a).await.unwrap().host.unwrap();
    control.reach(&host, Reach::Silent).await.unwrap();
    let hosts = cloud.hosts().unwrap().list(&call(), None).await.unwrap();
    assert!(!hosts.items[0].reachable);
    assert_eq!(compute.get(&call(), &a).await.unwrap().power, Power::Unknown);
    assert_eq!(compute.start(&call(), &a).await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(compute.delete(&call(), &a).await.unwrap_err().kind, Kind::Unavailable);
    // Connecting again does not repair it.
    connect(&here).await;
    assert_eq!(compute.start(&call(), &a).await.unwrap_err().kind, Kind::Unavailable);
    control.reach(&host, Reach::Answers).await.unwrap();
    done(compute.start(&call(), &a).await.unwrap());
}

#[tokio::test]
async fn the_next_calls_fail_as_told() {
    let here = site("told", json!(null));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let compute = cloud.compute().unwrap();
    control
        .fail_next(Some("compute.create"), 1, Side::After, Kind::Timeout)
        .await
        .unwrap();
    control
        .fail_next(Some("compute.create"), 1, Side::Before, Kind::Throttled)
        .await
        .unwrap();
    let token = Token::new("a");
    let lost = compute.create(&call(), &machine("a"), &token).await.unwrap_err();
    let throttled = compute.create(&call(), &machine("a"), &token).await.unwrap_err();
    assert_eq!((lost.kind, throttled.kind), (Kind::Timeout, Kind::Throttled));
    assert!(throttled.retry_after.is_some());
    let id = done(compute.create(&call(), &machine("a"), &token).await.unwrap());
    assert_eq!(compute.find(&call(), &token).await.unwrap().map(|m| m.id), Some(id));
    assert_eq!(control.doubled().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_made_again_after_its_deletion_is_counted() {
    let here = site("twice", json!(null));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let a = make(&*cloud, "a").await;
    done(cloud.compute().unwrap().delete(&call(), &a).await.unwrap());
    make(&*cloud, "a").await;
    assert_eq!(control.doubled().await.unwrap(), ["compute/a"]);
}

#[tokio::test]
async fn a_revert_brings_the_bytes_back() {
    let here = site("revert", json!(null));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let (disks, snapshots) = (cloud.disks().unwrap(), cloud.snapshots().unwrap());
    let id = done(
        disks
            .create(&call(), &volume(Size::gib(1)), &Token::new("v"))
            .await
            .unwrap(),
    );
    control.write_volume(&id, "good").await.unwrap();
    let snapshot = done(snapshots.create(&call(), &id, "s", &Token::new("s")).await.unwrap());
    control.write_volume(&id, "bad").await.unwrap();
    done(snapshots.revert(&call(), &snapshot).await.unwrap());
    assert_eq!(control.world().await.unwrap().volumes[id.as_str()].content, "good");
}

#[tokio::test(start_paused = true)]
async fn the_feed_waits_and_tells_what_happened_meanwhile() {
    let here = site("feed", json!({"hosts": 1}));
    let (cloud, control) = (connect(&here).await, Control::open(&here).unwrap());
    let a = make(&*cloud, "a").await;
    done(cloud.compute().unwrap().start(&call(), &a).await.unwrap());
    let (changes, host) = (cloud.changes().unwrap(), ExternalRef::new("host-0001"));
    let all = changes.next(&call(), &host, None).await.unwrap();
    assert!(all.complete);
    assert_eq!(all.machines, [(a.clone(), Power::On)]);
    let limit = call();
    let later = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        control.power_off(&a).await.unwrap();
    };
    let (told, ()) = tokio::join!(changes.next(&limit, &host, Some(all.cursor)), later);
    let told = told.unwrap();
    assert_eq!(told.machines, [(a, Power::Off)]);
    let quiet = changes.next(&call(), &host, Some(told.cursor)).await.unwrap();
    assert!(quiet.machines.is_empty() && !quiet.complete);
}
