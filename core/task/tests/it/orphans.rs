//! kill -9 on SQLite: the next process knows that it is alone, and takes up at once what the dead one had.

use std::time::Duration;

use store::{
    Store,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Settings, row::task as tasks};
use types::states::Task;

use crate::{
    engine::Running,
    toys,
    world::{World, quick},
};

/// No lease ends while the test runs.
fn patient() -> Settings {
    Settings {
        lease: Duration::from_secs(3600),
        ..quick()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_processs_tasks_are_taken_up_at_once() {
    let world = World::sqlite().await;
    let task = world.start(&toys::Gated { interruptible: true }, "t").await.unwrap();
    let here = task::arrive(&world.store).await.unwrap();
    let first = Running::new(world.builder().settings(patient()).build());
    let gate = |inner: &crate::world::Inner| inner.calls.contains(&"gate".to_owned());
    world.cloud.until("the gate", gate).await;
    // A neighbour comes: the first one lives, so its tasks stay its own.
    let before = world.row(task).await;
    let neighbour = task::arrive(&world.store).await.unwrap();
    assert_eq!(world.row(task).await, before);
    drop(neighbour);

    first.kill().await;
    drop(here);
    world.cloud.open.send_replace(true);
    let _here = task::arrive(&world.store).await.unwrap();
    let second = Running::new(world.builder().settings(patient()).build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    second.stop().await;
    assert_eq!(world.cloud.called("make a"), 1);
    assert_eq!(world.row(task).await.fence, before.fence + 1);
}

/// A task that waits for its timer belongs to nobody: its timer stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_stay() {
    let world = World::sqlite().await;
    let task = world.start(&toys::Build::three(), "t").await.unwrap();
    let tx = world.store.begin().await.unwrap();
    let parked = tasks::Entity::update_many()
        .col_expr(tasks::Column::State, Expr::value(Task::Running))
        .col_expr(tasks::Column::DueAt, Expr::value(i64::MAX))
        .filter(tasks::Column::Id.eq(task));
    assert_eq!(tx.update(parked).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let before = world.row(task).await;
    drop(task::arrive(&world.store).await.unwrap());
    assert_eq!(world.row(task).await, before);
}

/// Other processes may live on PostgreSQL, and nobody here can know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_leases_decide() {
    let world = World::postgres().await;
    let store: &Store = &world.store;
    let never = async { panic!("it cannot know that it is alone") };
    store.enter(never).await.unwrap();
}
