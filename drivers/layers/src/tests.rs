//! The layers around a simulated cloud, with the clock held still.

use std::{sync::Arc, time::Duration};

use contract::{Call, Cloud, Driver, Error, ImageSpec, Kind, Op, Result, Site, Token, VolumeSpec, site::Place};
use futures::{StreamExt, future::BoxFuture, stream};
use tokio::time::Instant;
use types::Size;

use crate::{Buckets, Faults, Layer, Layered, Method, Next, Retry, Settings, Timeout, When, wrap};

fn call(seconds: u64) -> Call {
    Call::new("test", Duration::from_secs(seconds))
}

fn site(account: &str) -> Site {
    Site {
        account: account.to_owned(),
        ..Site::default()
    }
}

async fn cloud(account: &str, change: impl FnOnce(&mut Settings)) -> (Arc<dyn Cloud>, Faults) {
    let cloud = sim::Sim.connect(&call(10), &site(account)).await.unwrap();
    let faults = Faults::default();
    let mut settings = Settings::new("sim", account, Arc::new(Buckets::new(1000.0, 1000.0)));
    settings.faults = Some(faults.clone());
    change(&mut settings);
    (wrap(cloud, settings), faults)
}

fn volume() -> VolumeSpec {
    VolumeSpec {
        name: "v".to_owned(),
        place: Place::default(),
        size: Size::gib(1),
        image: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_and_nothing_is_made_twice() {
    let (cloud, faults) = cloud("lost", |_| {}).await;
    faults.fail("disks.create", 1, When::After, Error::unavailable("the line went dead"));
    let token = Token::new("t1");
    let made = cloud
        .disks()
        .unwrap()
        .create(&call(30), &volume(), &token)
        .await
        .unwrap();
    let found = cloud.disks().unwrap().find(&call(30), &token).await.unwrap().unwrap();
    assert_eq!(made, Op::Done(found.id));
    assert_eq!(faults.count("disks.create"), 2);
    let control = sim::Control::open(&site("lost")).unwrap();
    assert_eq!(control.world().await.unwrap().effects["disks/t1"].made, 1);
}

#[tokio::test(start_paused = true)]
async fn the_second_call_can_be_the_one_that_fails() {
    let (cloud, faults) = cloud("second", |s| s.retry.attempts = 1).await;
    faults.fail("hosts.list", 2, When::Before, Error::unavailable("planned"));
    let hosts = cloud.hosts().unwrap();
    hosts.list(&call(30), None).await.unwrap();
    assert_eq!(hosts.list(&call(30), None).await.unwrap_err().message, "planned");
    hosts.list(&call(30), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_permanent_is_not_retried() {
    let (cloud, faults) = cloud("permanent", |_| {}).await;
    faults.fail("hosts.list", 1, When::Before, Error::denied("no"));
    let error = cloud.hosts().unwrap().list(&call(30), None).await.unwrap_err();
    assert_eq!((error.kind, faults.count("hosts.list")), (Kind::Denied, 1));
}

#[tokio::test(start_paused = true)]
async fn retries_end_with_the_attempts_or_the_deadline() {
    let (cloud, faults) = cloud("ends", |s| s.retry.attempts = 4).await;
    for _ in 0..20 {
        faults.fail("hosts.list", 1, When::Before, Error::unavailable("down"));
    }
    cloud.hosts().unwrap().list(&call(600), None).await.unwrap_err();
    assert_eq!(faults.count("hosts.list"), 4);

    let began = Instant::now();
    let short = Call::new("short", Duration::from_millis(120));
    let error = cloud.hosts().unwrap().list(&short, None).await.unwrap_err();
    assert_eq!(error.message, "down", "the cause is told, not the deadline");
    assert!(began.elapsed() <= Duration::from_millis(120));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_answer_is_waited_for_by_all_callers_of_the_account() {
    let (cloud, faults) = cloud("throttled", |_| {}).await;
    let pause = Duration::from_secs(7);
    faults.fail(
        "hosts.list",
        1,
        When::Before,
        Error::new(Kind::Throttled, "slow down").after(pause),
    );
    let (began, hosts) = (Instant::now(), cloud.hosts().unwrap());
    hosts.list(&call(60), None).await.unwrap();
    assert!(began.elapsed() >= pause);

    faults.fail(
        "hosts.list",
        1,
        When::Before,
        Error::new(Kind::Throttled, "slow down").after(pause),
    );
    let (limit, began) = (call(60), Instant::now());
    let other = async {
        tokio::task::yield_now().await;
        cloud
            .compute()
            .unwrap()
            .list(&limit, None)
            .await
            .map(|_| began.elapsed())
    };
    let (first, other) = tokio::join!(hosts.list(&limit, None), other);
    first.unwrap();
    assert!(other.unwrap() >= pause, "the other caller went on");
}

#[tokio::test(start_paused = true)]
async fn a_bucket_lets_a_burst_through_and_then_its_rate() {
    let limiter = Arc::new(Buckets::new(10.0, 5.0));
    let (cloud, _) = cloud("bucket", |s| s.limiter = limiter).await;
    let began = Instant::now();
    for _ in 0..25 {
        cloud.hosts().unwrap().list(&call(60), None).await.unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    assert!(
        (2.0..2.2).contains(&took),
        "20 calls over the burst at 10 a second took {took} s"
    );
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_made_once() {
    let (cloud, faults) = cloud("upload", |_| {}).await;
    faults.fail("images.upload", 1, When::Before, Error::unavailable("down"));
    let spec = ImageSpec {
        name: "i".to_owned(),
        digest: String::new(),
        format: "raw".to_owned(),
        size: Size::ZERO,
    };
    let content = stream::empty().boxed();
    let images = cloud.images().unwrap();
    let error = images
        .upload(&call(60), &spec, &Place::default(), content)
        .await
        .unwrap_err();
    assert_eq!((error.message.as_str(), faults.count("images.upload")), ("down", 1));
}

/// A cloud that swallows the first call of each test and never answers it.
struct Silent(std::sync::atomic::AtomicBool);

impl Layer for Silent {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, _: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        match self.0.swap(false, std::sync::atomic::Ordering::Relaxed) {
            true => Box::pin(std::future::pending()),
            false => next(call),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_cloud_costs_an_attempt_and_not_the_deadline() {
    let inner = sim::Sim.connect(&call(10), &site("silent")).await.unwrap();
    let timeout = Timeout {
        attempt: Duration::from_secs(5),
    };
    let cloud = Layered::new(inner, (Retry::default(), (timeout, Silent(true.into()))));
    let began = Instant::now();
    contract::Hosts::list(&cloud, &call(60), None).await.unwrap();
    let took = began.elapsed();
    assert!(
        took >= Duration::from_secs(5) && took < Duration::from_secs(6),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_wait_for_the_next_attempt() {
    let (cloud, faults) = cloud("cancelled", |s| s.retry.first = Duration::from_secs(100)).await;
    faults.fail("hosts.list", 1, When::Before, Error::unavailable("down"));
    let call = call(600);
    let cancel = async {
        tokio::time::advance(Duration::from_secs(1)).await;
        call.cancelled.cancel();
    };
    let (answer, ()) = tokio::join!(cloud.hosts().unwrap().list(&call, None), cancel);
    assert_eq!(answer.unwrap_err().kind, Kind::Cancelled);
}
