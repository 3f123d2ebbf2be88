//! How long a whole task may take: parked, in a step, over restarts.

use std::time::Duration;

use serde_json::json;
use types::{Kind, TaskId, states::Task};

use crate::{
    engine::Running,
    on_both,
    toys::{Dozing, Limited},
    world::World,
};

const LIMIT: Duration = Duration::from_secs(5);

async fn timed_out(world: &World, task: TaskId, kind: &str) {
    assert_eq!(world.ended(task).await, Task::Failed);
    let row = world.row(task).await;
    let error = row.error.unwrap().0;
    let text = format!("it did not end within 5s, which is all that {kind} may take");
    assert_eq!((error.kind, error.message), (Kind::Timeout, text));
    let took = row.finished_at.unwrap().since(row.started_at.unwrap());
    assert!(took >= LIMIT, "{took:?}");
}

/// Its timer is an hour away; the limit is the nearer timer, in the database.
async fn a_parked_task_is_undone_at_its_limit(world: World) {
    let dozing = Dozing {
        limit: LIMIT,
        looks: usize::MAX,
    };
    let task = world.start(&dozing, "t").await.unwrap();
    let first = Running::new(world.builder().build());
    world.cloud.until("it sleeps", |inner| inner.calls.len() >= 2).await;
    first.kill().await;
    let second = Running::new(world.builder().build());
    timed_out(&world, task, "dozing").await;
    second.stop().await;
}

async fn a_step_is_interrupted_at_the_limit(world: World) {
    let limited = Limited {
        interruptible: true,
        limit: LIMIT,
    };
    let task = world.start(&limited, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    timed_out(&world, task, "limited").await;
    engine.stop().await;
    assert_eq!(world.cloud.called("ungate"), 1);
    assert_eq!(world.snapshot(), json!([]));
}

/// It ends first, and is undone with the rest; nothing else begins.
async fn a_step_that_may_not_be_interrupted_ends_first(world: World) {
    let limited = |interruptible| Limited {
        interruptible,
        limit: LIMIT,
    };
    let task = world.start(&limited(false), "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    let gates = |count: usize| {
        let at = move |calls: &[String]| calls.iter().filter(|call| *call == "gate").count() >= count;
        move |inner: &crate::world::Inner| at(&inner.calls)
    };
    world.cloud.until("the gate", gates(1)).await;
    // One that begins later and is over by its limit says that the first is past its own.
    let clock = world.start(&limited(true), "u").await.unwrap();
    timed_out(&world, clock, "limited").await;
    assert_eq!(world.row(task).await.state, Task::Running);
    world.cloud.open.send_replace(true);
    timed_out(&world, task, "limited").await;
    engine.stop().await;
    assert_eq!(world.cloud.called("make b"), 0);
    assert_eq!(world.snapshot(), json!([]));
}

on_both! {
    a_parked_task_is_undone_at_its_limit
    a_step_is_interrupted_at_the_limit
    a_step_that_may_not_be_interrupted_ends_first
}
