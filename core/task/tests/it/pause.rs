//! A paused queue: nothing new begins in any replica, what is under way goes on, and a restart changes nothing.

use store::{
    event,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder},
};
use task::{Registry, pause};
use types::{TaskId, states::Task};

use crate::{
    engine::Running,
    on_both, toys,
    world::{World, cx},
};

impl World {
    /// Waits until a task that was queued later than all others is over: whoever could be taken was taken.
    async fn later(&self) {
        let id = self.start(&toys::Fallback, "later").await.unwrap();
        assert_eq!(self.ended(id).await, Task::Succeeded);
    }

    async fn state(&self, id: TaskId) -> Task {
        self.row(id).await.state
    }
}

async fn a_paused_kind_stays_queued(world: World) {
    // Under way before the pause, and at its gate until the test opens it.
    let gated = world.start(&toys::Gated { interruptible: true }, "g").await.unwrap();
    let engine = Running::new(world.builder().build());
    let gate = |inner: &crate::world::Inner| inner.calls.contains(&"gate".to_owned());
    world.cloud.until("the gate", gate).await;
    for kind in ["build", "gated"] {
        pause::pause(&cx(), &world.store, kind, "the cloud is ill")
            .await
            .unwrap();
    }
    let held = world.start(&toys::Build::three(), "a").await.unwrap();
    let cancelled = world.start(&toys::Build::three(), "b").await.unwrap();
    world.later().await;
    assert_eq!(world.state(held).await, Task::Queued);
    world.cloud.open.send_replace(true);
    assert_eq!(world.ended(gated).await, Task::Succeeded);
    engine.stop().await;

    // It is in the database: other replicas and later processes hold it back too.
    let replicas = [(); 2].map(|()| Running::new(world.builder().build()));
    world.later().await;
    assert_eq!(world.state(held).await, Task::Queued);
    task::cancel(&cx(), &world.store, &Registry::new(), cancelled)
        .await
        .unwrap();
    assert_eq!(world.ended(cancelled).await, Task::Cancelled);
    assert_eq!(world.row(held).await.due_at.map(|due| due.as_micros()), Some(0));

    pause::resume(&cx(), &world.store, "build", "well again").await.unwrap();
    assert_eq!(world.ended(held).await, Task::Succeeded);
    for replica in replicas {
        replica.stop().await;
    }
}

async fn all_pauses_everything(world: World) {
    pause::pause(&cx(), &world.store, pause::ALL, "first").await.unwrap();
    pause::pause(&cx(), &world.store, pause::ALL, "maintenance")
        .await
        .unwrap();
    let rows = pause::paused(&world.store).await.unwrap();
    let known: Vec<_> = rows
        .iter()
        .map(|row| (row.kind.as_str(), row.reason.as_str()))
        .collect();
    assert_eq!(known, [("all", "maintenance")]);
    assert_eq!(pause::of(&rows, "build").unwrap().actor, "tester");

    let held = world.start(&toys::Build::three(), "a").await.unwrap();
    let probe = world.start(&toys::Fallback, "b").await.unwrap();
    task::cancel(&cx(), &world.store, &Registry::new(), probe)
        .await
        .unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(probe).await, Task::Cancelled);
    assert_eq!(world.state(held).await, Task::Queued);
    let refused = pause::resume(&cx(), &world.store, "build", "").await.unwrap_err();
    assert_eq!(refused.code, "not_paused");
    pause::resume(&cx(), &world.store, pause::ALL, "done").await.unwrap();
    assert_eq!(world.ended(held).await, Task::Succeeded);
    engine.stop().await;
    let events = event::Entity::find().filter(event::Column::Noun.eq("queue"));
    let events = world.store.all(events.order_by_asc(event::Column::Seq)).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["queue.paused", "queue.paused", "queue.resumed"]);
    assert_eq!(events[2].data["reason"], "done");
}

on_both! {
    a_paused_kind_stays_queued
    all_pauses_everything
}
