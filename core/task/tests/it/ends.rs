//! Many tasks end in one transaction; one that cannot end keeps no other from it.

use std::ops::Range;

use store::sea_orm::EntityTrait;
use task::row::task as tasks;
use types::{TaskId, states::Task};

use crate::{
    engine::Running,
    on_both,
    toys::{Ends, Gated},
    world::World,
};

/// So many that end well.
async fn start(world: &World, numbers: Range<usize>) -> Vec<TaskId> {
    let mut ids = Vec::new();
    for n in numbers {
        ids.push(world.start(&Ends::Well, &format!("w{n}")).await.unwrap());
    }
    ids
}

async fn one_that_cannot_end_keeps_no_other_from_ending(world: World) {
    let mut well = start(&world, 0..20).await;
    let refused = world.start(&Ends::Refused, "r").await.unwrap();
    well.extend(start(&world, 20..40).await);
    let engine = Running::new(world.builder().build());
    for id in well {
        assert_eq!(world.ended(id).await, Task::Succeeded);
        assert_eq!(
            world.events(id).await,
            ["task.queued", "task.running", "task.succeeded"]
        );
    }
    assert_eq!(world.ended(refused).await, Task::NeedsOperator);
    engine.stop().await;
}

/// A row that somebody holds is waited for by one task, and not by those that end beside it.
#[tokio::test]
async fn one_that_waits_for_a_row_keeps_no_other_waiting() {
    let world = World::postgres().await;
    let held = world.start(&Gated { interruptible: true }, "held").await.unwrap();
    let waits = world.start(&Ends::With(held), "waits").await.unwrap();
    let well = start(&world, 0..40).await;
    let tx = world.store.begin().await.unwrap();
    tx.lock(tasks::Entity::find_by_id(held)).await.unwrap();
    let engine = Running::new(world.builder().build());
    for id in well {
        assert_eq!(world.ended(id).await, Task::Succeeded);
    }
    // Not those that end later either.
    for id in start(&world, 40..50).await {
        assert_eq!(world.ended(id).await, Task::Succeeded);
    }
    assert_eq!(world.row(waits).await.state, Task::Running);
    drop(tx);
    assert_eq!(world.ended(waits).await, Task::Succeeded);
    engine.stop().await;
}

on_both! { one_that_cannot_end_keeps_no_other_from_ending }
