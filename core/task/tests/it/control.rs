//! What people do: cancel, ask for a busy resource, repair, give up; and journals that fit the code no more.

use serde_json::json;
use store::sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use task::{Started, row::step};
use types::{Error, Kind, TaskId, states::Task};

use crate::{
    engine::Running,
    on_both, toys,
    world::{World, cx},
};

async fn at_the_gate(world: &World, interruptible: bool) -> (TaskId, Running) {
    let task = world.start(&toys::Gated { interruptible }, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    world
        .cloud
        .until("the gate", |inner| inner.calls.contains(&"gate".to_owned()))
        .await;
    (task, engine)
}

async fn a_cancel_interrupts_and_undoes(world: World) {
    let (task, engine) = at_the_gate(&world, true).await;
    task::cancel(&cx(), &world.store, &toys::registry(), task)
        .await
        .unwrap();
    assert_eq!(world.ended(task).await, Task::Cancelled);
    engine.stop().await;
    assert_eq!(world.snapshot(), json!([]));
    let error = world.row(task).await.error.unwrap().0;
    assert_eq!(
        (error.kind, error.message.as_str()),
        (Kind::Cancelled, "it was cancelled by tester")
    );
    let refused = task::cancel(&cx(), &world.store, &toys::registry(), task)
        .await
        .unwrap_err();
    assert_eq!(refused.code, "task_over");
}

async fn a_step_that_may_not_be_interrupted_ends_first(world: World) {
    let (task, engine) = at_the_gate(&world, false).await;
    task::cancel(&cx(), &world.store, &toys::registry(), task)
        .await
        .unwrap();
    assert!(world.row(task).await.cancel_requested);
    world.cloud.open.send_replace(true);
    assert_eq!(world.ended(task).await, Task::Cancelled);
    engine.stop().await;
    assert_eq!(world.cloud.called("ungate"), 1);
    assert_eq!(world.cloud.called("make b"), 0);
}

/// No engine is there: the cancel itself ends it, with what `finish` writes.
async fn a_task_that_never_began_is_cancelled_at_once(world: World) {
    let task = world.start(&toys::Build::three(), "t").await.unwrap();
    task::cancel(&cx(), &world.store, &toys::registry(), task)
        .await
        .unwrap();
    let row = world.row(task).await;
    assert_eq!((row.state, row.due_at, row.fence), (Task::Cancelled, None, 0));
    assert_eq!(row.error.unwrap().message, "it was cancelled by tester");
    let events = ["task.queued", "task.cancel_requested", "task.cancelled"];
    assert_eq!(world.events(task).await, events);
    assert_eq!(world.events_of("thing").await, ["thing.cancelled"]);
    let next = world.start(&toys::Fallback, "t").await;
    assert!(next.is_ok(), "the resource is free: {next:?}");
}

/// An end that is refused is a worker's affair.
async fn a_task_whose_end_is_refused_is_left_to_a_worker(world: World) {
    let task = world.start(&toys::Unending, "t").await.unwrap();
    task::cancel(&cx(), &world.store, &toys::registry(), task)
        .await
        .unwrap();
    let row = world.row(task).await;
    assert_eq!((row.state, row.cancel_requested), (Task::Queued, true));
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::NeedsOperator);
    engine.stop().await;
    let requested = world
        .events(task)
        .await
        .into_iter()
        .filter(|kind| kind == "task.cancel_requested");
    assert_eq!(requested.count(), 1);
}

async fn one_task_holds_a_resource(world: World) {
    let task = world.start(&toys::Build::three(), "t").await.unwrap();
    let busy = world.start(&toys::Fallback, "t").await.unwrap_err();
    assert_eq!((busy.kind, busy.code.as_str()), (Kind::Conflict, "busy"));
    assert_eq!(busy.details["task"], json!(task));
    let text = format!("thing `name-of-t` is held by {task} (build): wait for it or cancel it");
    assert_eq!(busy.message, text);
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    let next = world.start(&toys::Fallback, "t").await.unwrap();
    assert_eq!(world.ended(next).await, Task::Succeeded);
    engine.stop().await;
}

async fn the_same_intent_joins_while_it_goes_on(world: World) {
    let Started::New(task) = world.join(&toys::Build::three(), "t").await.unwrap() else {
        panic!("nothing was there to join");
    };
    let again = world.join(&toys::Build::three(), "t").await.unwrap();
    assert_eq!(again, Started::Joined(task));
    assert_eq!(world.events(task).await, ["task.queued", "task.joined"]);
    let things = vec!["z".to_owned()];
    let differs = world.join(&toys::Build { things }, "t").await.unwrap_err();
    let other = world.join(&toys::Fallback, "t").await.unwrap_err();
    for busy in [differs, other] {
        assert_eq!((busy.code.as_str(), &busy.details["task"]), ("busy", &json!(task)));
    }
    // This process does not know the workflow, so a worker must end it, and none is there.
    task::cancel(&cx(), &world.store, &task::Registry::new(), task)
        .await
        .unwrap();
    let ends = world.join(&toys::Build::three(), "t").await.unwrap_err();
    assert_eq!(ends.code, "busy");
}

/// A task whose undo of `b` keeps failing.
async fn stuck(world: &World) -> (TaskId, Running) {
    world.cloud.fail("c", Error::invalid("c is wrong"), 1);
    world.cloud.fail("unmake b", Error::denied("b is protected"), 3);
    let task = world.start(&toys::Build::three(), "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::NeedsOperator);
    let (row, steps) = world.seen(task).await;
    let view = task::view(row, steps);
    assert_eq!(
        view.error.unwrap().chain(),
        "step make could not be undone in 3 attempts: b is protected"
    );
    assert!(
        world.start(&toys::Fallback, "t").await.is_err(),
        "the resource is still held"
    );
    (task, engine)
}

async fn an_operator_lets_it_try_again(world: World) {
    let (task, engine) = stuck(&world).await;
    task::retry(&cx(), &world.store, task, "unprotected b").await.unwrap();
    assert_eq!(world.ended(task).await, Task::Failed);
    engine.stop().await;
    assert_eq!(world.snapshot(), json!([]));
    assert_eq!(world.row(task).await.error.unwrap().message, "c is wrong");
}

async fn an_operator_gives_it_up(world: World) {
    let (task, engine) = stuck(&world).await;
    task::abandon(&cx(), &world.store, task, "b stays").await.unwrap();
    assert_eq!(world.ended(task).await, Task::Failed);
    assert_eq!(world.snapshot(), json!(["a", "b"]));
    assert!(world.events(task).await.contains(&"task.abandoned".to_owned()));
    let next = world.start(&toys::Fallback, "t").await.unwrap();
    assert_eq!(world.ended(next).await, Task::Succeeded);
    engine.stop().await;
}

/// The journal says something else than the code would.
async fn misfit(world: World, column: step::Column, value: &str, reason: &str) {
    let (task, engine) = at_the_gate(&world, true).await;
    engine.kill().await;
    let tx = world.store.begin().await.unwrap();
    let update = step::Entity::update_many()
        .col_expr(column, Expr::value(value))
        .filter(step::Column::TaskId.eq(task))
        .filter(step::Column::Seq.eq(0));
    assert_eq!(tx.update(update).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::NeedsOperator);
    engine.stop().await;
    let error = world.row(task).await.stuck.unwrap().0;
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("journal_misfit", reason)
    );
}

async fn a_renamed_step_needs_an_operator(world: World) {
    let reason = "step 0 is create in the journal and make in this version";
    misfit(world, step::Column::Name, "create", reason).await;
}

async fn changed_parameters_need_an_operator(world: World) {
    let reason = "step 0 (make) was written with other parameters than this version gives it";
    misfit(world, step::Column::Params, r#"{"name":"z"}"#, reason).await;
}

async fn a_changed_output_needs_an_operator(world: World) {
    let reason = "the journal's `make` has another shape than this version knows";
    misfit(world, step::Column::Output, r#"{"id":1}"#, reason).await;
}

/// The journal knows a step that the code does not come to any more.
async fn a_dropped_step_needs_an_operator(world: World) {
    let (task, engine) = at_the_gate(&world, true).await;
    engine.kill().await;
    let tx = world.store.begin().await.unwrap();
    let extra = step::Model {
        seq: 3,
        token: format!("{task}-3"),
        ..world.steps(task).await[0].clone()
    };
    let extra: step::ActiveModel = extra.into();
    tx.insert(step::ActiveModel {
        seq: Set(2),
        token: Set(format!("{task}-2")),
        params: Set(types::Json(json!({ "name": "b" }))),
        ..extra.clone()
    })
    .await
    .unwrap();
    tx.insert(extra.reset_all()).await.unwrap();
    tx.commit().await.unwrap();
    world.cloud.open.send_replace(true);
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::NeedsOperator);
    engine.stop().await;
    let error = world.row(task).await.stuck.unwrap().0;
    let reason = "the journal has steps from 3 on that this version does not take";
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("journal_misfit", reason)
    );
}

on_both! {
    a_dropped_step_needs_an_operator
    a_cancel_interrupts_and_undoes
    a_step_that_may_not_be_interrupted_ends_first
    a_task_that_never_began_is_cancelled_at_once
    a_task_whose_end_is_refused_is_left_to_a_worker
    one_task_holds_a_resource
    the_same_intent_joins_while_it_goes_on
    an_operator_lets_it_try_again
    an_operator_gives_it_up
    a_renamed_step_needs_an_operator
    changed_parameters_need_an_operator
    a_changed_output_needs_an_operator
}
