//! One replica at a time does the rounds; a hint starts one; errors are seen and tried again.

use std::time::Duration;

use store::sea_orm::EntityTrait;
use task::{Extensions, Next, ReconcileCx, Reconciler, reconcile, row::reconciler};
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

on_both! { rounds_happen_in_one_replica_at_a_time }
