//! One replica at a time does the rounds; a hint starts one; errors are seen and tried again.

use std::time::Duration;

use store::sea_orm::EntityTrait;
use task::{
    Extensions, Next, ReconcileCx, Reconciler, Resource, Settings, reconcile,
    row::{reconciler, setback},
};
use tokio_util::sync::CancellationToken;
use types::{Error, Result};

use crate::{
    on_both,
    world::{Cloud, World, quick},
};

/// Counts its rounds; two at once are a mistake.
struct Count;

impl Reconciler for Count {
    const NAME: &'static str = "count";
    const CHANNEL: Option<&'static str> = Some("count-me");

    fn every() -> Duration {
        Duration::from_secs(3600)
    }

    async fn reconcile(&self, cx: &ReconcileCx) -> Result<Next> {
        let cloud = cx.get::<Cloud>();
        cloud.change(|inner| {
            assert!(inner.things.insert("busy".to_owned(), String::new()).is_none());
        });
        tokio::task::yield_now().await;
        cloud.change(|inner| {
            inner.things.remove("busy");
            inner.calls.push("round".to_owned());
            match inner.errors.get_mut("count").and_then(Vec::pop) {
                Some(error) => Err(error),
                None if inner.calls.len() < 3 => Ok(Next::Now),
                None => Ok(Next::Usual),
            }
        })
    }
}

async fn rounds_happen_in_one_replica_at_a_time(world: World) {
    world.cloud.fail("count", Error::unavailable("not now"), 1);
    let stop = CancellationToken::new();
    let replicas = [(); 2].map(|()| {
        let extensions = Extensions::default().add(world.cloud.clone());
        tokio::spawn(reconcile::run_with(
            quick(),
            Count,
            world.store.clone(),
            extensions,
            stop.clone(),
        ))
    });
    world.cloud.until("three rounds", |inner| inner.calls.len() >= 3).await;
    // The next usual round is an hour away; a hint brings it now, whichever round is still being written down.
    let hint = async {
        loop {
            let mut tx = world.store.begin().await.unwrap();
            tx.wake("count-me");
            tx.commit().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = hint => {}
        () = world.cloud.until("a hinted round", |inner| inner.calls.len() >= 4) => {}
    }
    stop.cancel();
    for replica in replicas {
        replica.await.unwrap();
    }
    let row = world
        .store
        .one(reconciler::Entity::find_by_id("count"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.owner, None);
}

/// Looks at `good`, `bad` and `slow`; `things` has their generations, and `slow` waits for the door.
struct Many;

impl Reconciler for Many {
    const NAME: &'static str = "many";

    fn every() -> Duration {
        Duration::from_millis(20)
    }

    async fn reconcile(&self, cx: &ReconcileCx) -> Result<Next> {
        cx.each(list, look).await
    }
}

async fn list(cx: ReconcileCx) -> Result<Vec<Resource<String>>> {
    let things = cx.get::<Cloud>().look(|inner| inner.things.clone());
    let resource = |(id, generation): (String, String)| Resource {
        name: format!("thing `{id}`"),
        generation: generation.parse().unwrap(),
        value: id.clone(),
        id,
    };
    Ok(things.into_iter().map(resource).collect())
}

async fn look(cx: ReconcileCx, id: String) -> Result<Next> {
    let cloud = cx.get::<Cloud>();
    cloud.change(|inner| inner.calls.push(id.clone()));
    if id == "slow" {
        cloud.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
    match cloud.change(|inner| inner.errors.get_mut(&id).and_then(Vec::pop)) {
        Some(error) => Err(error),
        None => Ok(Next::Usual),
    }
}

/// A replica that leaves what failed alone for an hour, and the way to end it.
fn replica(world: &World) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let patient = Settings {
        backoff: Duration::from_secs(3600),
        longest_backoff: Duration::from_secs(3600),
        ..quick()
    };
    let (stop, extensions) = (CancellationToken::new(), Extensions::default().add(world.cloud.clone()));
    let running = reconcile::run_with(patient, Many, world.store.clone(), extensions, stop.clone());
    (stop, tokio::spawn(running))
}

fn calls(id: &'static str, least: usize) -> impl Fn(&crate::world::Inner) -> bool {
    move |inner| inner.calls.iter().filter(|call| *call == id).count() >= least
}

/// The failures that are kept, of each.
async fn setbacks(world: &World) -> Vec<(String, i64, i64)> {
    let rows = world.store.all(setback::Entity::find()).await.unwrap();
    rows.into_iter()
        .map(|row| (row.resource, row.generation, row.failures))
        .collect()
}

async fn a_slow_or_failing_one_delays_no_other(world: World) {
    let generations = [("bad", "1"), ("good", "1"), ("slow", "1")];
    world.cloud.change(|inner| {
        let generations = generations.map(|(id, generation)| (id.to_owned(), generation.to_owned()));
        inner.things.extend(generations);
    });
    world.cloud.fail("bad", Error::unavailable("no answer"), 2);
    let (stop, running) = replica(&world);
    world
        .cloud
        .until("good is looked at again and again", calls("good", 5))
        .await;
    assert_eq!((world.cloud.called("bad"), world.cloud.called("slow")), (1, 1));
    assert_eq!(setbacks(&world).await, [("bad".to_owned(), 1, 1)]);
    // Whoever takes over knows what failed.
    stop.cancel();
    running.await.unwrap();
    let (stop, running) = replica(&world);
    world.cloud.until("another replica looks", calls("good", 9)).await;
    assert_eq!((world.cloud.called("bad"), world.cloud.called("slow")), (1, 2));
    // What changed is looked at anew; it fails for the first time as it is now.
    world
        .cloud
        .change(|inner| inner.things.insert("bad".to_owned(), "2".to_owned()));
    world.cloud.until("a change brings a look", calls("bad", 2)).await;
    world
        .cloud
        .until("more rounds", calls("good", world.cloud.called("good") + 3))
        .await;
    assert_eq!(setbacks(&world).await, [("bad".to_owned(), 2, 1)]);
    world
        .cloud
        .change(|inner| inner.things.insert("bad".to_owned(), "3".to_owned()));
    world.cloud.until("it goes well", calls("bad", 4)).await;
    assert_eq!(setbacks(&world).await, []);
    stop.cancel();
    running.await.unwrap();
}

async fn what_is_no_more_is_forgotten(world: World) {
    world
        .cloud
        .change(|inner| inner.things.insert("bad".to_owned(), "1".to_owned()));
    world
        .cloud
        .change(|inner| inner.things.insert("good".to_owned(), "1".to_owned()));
    world.cloud.fail("bad", Error::unavailable("no answer"), 1);
    let (stop, running) = replica(&world);
    world.cloud.until("more rounds", calls("good", 3)).await;
    assert_eq!(setbacks(&world).await.len(), 1);
    world.cloud.change(|inner| inner.things.remove("bad"));
    world
        .cloud
        .until("more rounds", calls("good", world.cloud.called("good") + 3))
        .await;
    assert_eq!(setbacks(&world).await, []);
    stop.cancel();
    running.await.unwrap();
}

on_both! {
    rounds_happen_in_one_replica_at_a_time
    a_slow_or_failing_one_delays_no_other
    what_is_no_more_is_forgotten
}
