//! A worker that lost its task writes nothing more, whatever it believes.

use store::sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use task::row::task as tasks;
use types::states::Task;

use crate::{
    engine::Running,
    on_both, toys,
    world::{World, quick},
};

/// The first worker hangs in a step while another claims, undoes and ends the task; then the first wakes up.
async fn a_fenced_out_worker_writes_nothing(world: World) {
    let task = world.start(&toys::Gated { interruptible: false }, "t").await.unwrap();
    // It never looks whether the task is still its own.
    let blind = task::Settings {
        beat: std::time::Duration::from_secs(3600),
        ..quick()
    };
    let first = Running::new(world.builder().settings(blind).build());
    world
        .cloud
        .until("the gate", |inner| inner.calls.contains(&"gate".to_owned()))
        .await;
    let before = world.row(task).await;
    let tx = world.store.begin().await.unwrap();
    let update = tasks::Entity::update_many()
        .col_expr(tasks::Column::Owner, Expr::value("somebody-else"))
        .col_expr(tasks::Column::Fence, Expr::col(tasks::Column::Fence).add(1))
        .col_expr(tasks::Column::DueAt, Expr::value(i64::MAX))
        .filter(tasks::Column::Id.eq(task));
    tx.update(update).await.unwrap();
    tx.commit().await.unwrap();
    let steps = world.steps(task).await;
    let events = world.events(task).await;
    world.cloud.open.send_replace(true);
    // Stopping waits until the woken worker has tried to write.
    first.stop().await;
    let after = world.row(task).await;
    assert_eq!(
        (after.fence, after.owner.as_deref()),
        (before.fence + 1, Some("somebody-else"))
    );
    assert_eq!(after.state, Task::Running);
    assert_eq!(world.steps(task).await, steps);
    assert_eq!(world.events(task).await, events);
    assert_eq!(world.cloud.called("make b"), 0);
}

on_both! { a_fenced_out_worker_writes_nothing }
