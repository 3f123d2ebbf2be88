//! Children: started once, waited for without a worker and without looking, cancelled with their parent.

use std::time::Duration;

use store::sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use task::{Child, MOST_CHILDREN, Policy, row::task as tasks};
use types::{Error, Kind, TaskId, states::Task};

use crate::{
    engine::Running,
    on_both,
    toys::{self, Family},
    world::{Inner, World, cx, quick, target},
};

fn family(policy: Policy, built: &[&str], gated: &[&str]) -> Family {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Family {
        policy,
        limit: Duration::from_secs(3600),
        built: names(built),
        gated: names(gated),
    }
}

async fn children(world: &World, parent: TaskId) -> Vec<tasks::Model> {
    let rows = tasks::Entity::find().filter(tasks::Column::Parent.eq(parent));
    world.store.all(rows).await.unwrap()
}

async fn states(world: &World, parent: TaskId) -> Vec<Task> {
    let mut rows = children(world, parent).await;
    rows.sort_by_key(|row| row.resource_id.clone());
    rows.iter().map(|row| row.state).collect()
}

async fn progress(world: &World, parent: TaskId) -> String {
    task::tallies(&world.store, &[parent]).await.unwrap()[&parent].to_string()
}

/// With one worker the parent must let go of it, and it is claimed again only when the last child has ended.
async fn a_parent_waits_without_a_worker_and_without_looking(world: World) {
    let family = family(Policy::WaitForAll, &["a", "b", "c"], &[]);
    let task = world.start(&family, "t").await.unwrap();
    let engine = Running::new(world.builder().workers(1).build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    engine.stop().await;
    assert_eq!(world.row(task).await.fence, 2, "it was claimed to start and to end");
    assert_eq!(progress(&world, task).await, "3 of 3 done");
    let calls = world.cloud.look(|inner| inner.calls.clone());
    assert_eq!(
        (calls[0].as_str(), calls.last().unwrap().as_str()),
        ("make first", "make last")
    );
}

/// Ends of children race with the parent's parking and with each other; no wake is lost.
async fn two_engines_share_a_large_family(world: World) {
    let names: Vec<_> = (0..60).map(|n| format!("c{n:02}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let family = family(Policy::WaitForAll, &names, &[]);
    let task = world.start(&family, "t").await.unwrap();
    let patient = task::Settings {
        lease: Duration::from_secs(60),
        ..quick()
    };
    let engines = [(); 2].map(|()| Running::new(world.builder().settings(patient.clone()).workers(8).build()));
    assert_eq!(world.ended(task).await, Task::Succeeded);
    for engine in engines {
        engine.stop().await;
    }
    assert_eq!(progress(&world, task).await, "60 of 60 done");
    assert!(world.row(task).await.fence <= 3, "it is woken by the last alone");
}

async fn at_the_gates(world: &World, count: usize) {
    let gates = |calls: &[String]| calls.iter().filter(|call| *call == "gate").count();
    world
        .cloud
        .until("the gates", |inner| gates(&inner.calls) >= count)
        .await;
}

async fn a_family_outlives_its_process(world: World) {
    let family = family(Policy::WaitForAll, &[], &["g1", "g2", "g3"]);
    let task = world.start(&family, "t").await.unwrap();
    let first = Running::new(world.builder().build());
    at_the_gates(&world, 3).await;
    first.kill().await;
    world.cloud.open.send_replace(true);
    let second = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    second.stop().await;
    assert_eq!(
        states(&world, task).await,
        [Task::Succeeded; 3],
        "they were started once"
    );
    assert_eq!(world.cloud.called("make first"), 1);
}

async fn when_one_fails_the_others_go_on(world: World) {
    world.cloud.fail("worse", Error::new(Kind::Quota, "too many things"), 1);
    world.cloud.open.send_replace(true);
    let family = family(Policy::WaitForAll, &["worse"], &["g1", "g2"]);
    let task = world.start(&family, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Failed);
    engine.stop().await;
    let error = world.row(task).await.error.unwrap().0;
    assert_eq!((error.kind, error.code.as_str()), (Kind::Quota, "children_failed"));
    let text = "1 of 3 did not succeed; the first to fail: thing `name-of-worse`: too many things";
    assert_eq!(error.chain(), text);
    assert_eq!(
        states(&world, task).await,
        [Task::Succeeded, Task::Succeeded, Task::Failed]
    );
    assert_eq!(progress(&world, task).await, "2 of 3 done, 1 failed");
    assert_eq!(
        world.cloud.called("unmake first"),
        1,
        "the parent's own steps are undone"
    );
}

async fn the_first_failure_cancels_the_rest(world: World) {
    world.cloud.fail("bad", Error::new(Kind::Quota, "too many things"), 1);
    let family = family(Policy::FirstFailure, &["bad"], &["g1", "g2"]);
    let task = world.start(&family, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Failed);
    engine.stop().await;
    let chain = world.row(task).await.error.unwrap().chain();
    let text = "3 of 3 did not succeed; the first to fail: thing `name-of-bad`: too many things";
    assert_eq!(chain, text);
    assert_eq!(
        states(&world, task).await,
        [Task::Failed, Task::Cancelled, Task::Cancelled]
    );
    let cancelled = children(&world, task)
        .await
        .into_iter()
        .find(|row| row.resource_id == "g1");
    let why = cancelled.unwrap().error.unwrap().0.message;
    assert_eq!(why, format!("it was cancelled by {task}"));
    assert_eq!(world.cloud.look(|inner| inner.things.len()), 0);
}

async fn who_cancels_the_parent_cancels_the_children(world: World) {
    let family = family(Policy::WaitForAll, &[], &["g1", "g2"]);
    let task = world.start(&family, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    at_the_gates(&world, 2).await;
    task::cancel(&cx(), &world.store, &toys::registry(), task)
        .await
        .unwrap();
    assert_eq!(world.ended(task).await, Task::Cancelled);
    engine.stop().await;
    assert_eq!(states(&world, task).await, [Task::Cancelled; 2]);
    assert_eq!(progress(&world, task).await, "0 of 2 done, 2 cancelled");
    let calls = world.cloud.look(|inner| inner.calls.clone());
    let last = calls.last().map(String::as_str);
    assert_eq!(last, Some("unmake first"), "the parent is undone after its children");
    assert_eq!(world.cloud.look(|inner| inner.things.len()), 0);
}

/// Parent and children in one transaction of intent, and a cancel before anybody took them.
async fn a_family_is_started_and_cancelled_as_a_whole(world: World) {
    let parent = family(Policy::WaitForAll, &[], &[]);
    let children = family(Policy::WaitForAll, &["a", "b"], &[]).children();
    let mut tx = world.store.begin().await.unwrap();
    let (task, ids) = task::start_with(&cx(), &mut tx, &parent, target("t"), &children)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.row(ids[1]).await.parent, Some(task));
    task::cancel(&cx(), &world.store, &toys::registry(), task)
        .await
        .unwrap();
    assert_eq!(
        world.row(task).await.state,
        Task::Queued,
        "it has children to stop first"
    );
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Cancelled);
    engine.stop().await;
    assert_eq!(states(&world, task).await, [Task::Cancelled; 2]);
    assert_eq!(world.cloud.look(|inner| inner.things.len()), 0);
}

/// The limit holds while the parent is parked, and for its children with it.
async fn a_parent_that_takes_too_long_is_cancelled_with_its_children(world: World) {
    let family = Family {
        limit: Duration::from_secs(5),
        ..family(Policy::WaitForAll, &[], &["g1", "g2"])
    };
    let task = world.start(&family, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Failed);
    engine.stop().await;
    let error = world.row(task).await.error.unwrap().0;
    assert_eq!(error.kind, Kind::Timeout);
    for child in children(&world, task).await {
        assert_eq!(child.state, Task::Cancelled);
    }
    assert_eq!(world.cloud.look(|inner| inner.things.len()), 0);
}

async fn too_many_children_are_refused(world: World) {
    let parent = family(Policy::WaitForAll, &[], &[]);
    let build = toys::Build { things: Vec::new() };
    let many: Vec<_> = (0..=MOST_CHILDREN)
        .map(|n| Child::of(&build, target(&n.to_string())).unwrap())
        .collect();
    let mut tx = world.store.begin().await.unwrap();
    let refused = task::start_with(&cx(), &mut tx, &parent, target("t"), &many).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(
        error
            .message
            .ends_with("would have more than 1000 children: start fewer at once")
    );
    let childless = task::start_with(&cx(), &mut tx, &build, target("u"), &[]).await;
    assert_eq!(childless.unwrap_err().message, "build does not wait for children");
}

/// A busy target is the failure of the whole spawn.
async fn a_child_whose_target_is_held_starts_nothing(world: World) {
    world.start(&toys::Gated { interruptible: true }, "b").await.unwrap();
    let family = family(Policy::WaitForAll, &["a", "b"], &[]);
    let task = world.start(&family, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Failed);
    engine.stop().await;
    assert_eq!(world.row(task).await.error.unwrap().code, "busy");
    assert!(children(&world, task).await.is_empty());
}

/// A wake makes a parked task look again at once, and one that a worker has look again instead of parking.
async fn a_wake_is_never_lost(world: World) {
    let looks = |count: usize| move |inner: &Inner| inner.calls.len() >= count;
    let limit = Duration::from_secs(3600);
    let task = world.start(&toys::Dozing { limit, looks: 3 }, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    world.cloud.until("a look after its own wake", looks(2)).await;
    let mut tx = world.store.begin().await.unwrap();
    task::wake(&mut tx, task).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.ended(task).await, Task::Succeeded);
    engine.stop().await;
    assert_eq!(world.cloud.called("doze"), 3);
}

on_both! {
    a_parent_waits_without_a_worker_and_without_looking
    two_engines_share_a_large_family
    a_family_outlives_its_process
    when_one_fails_the_others_go_on
    the_first_failure_cancels_the_rest
    who_cancels_the_parent_cancels_the_children
    a_family_is_started_and_cancelled_as_a_whole
    a_parent_that_takes_too_long_is_cancelled_with_its_children
    too_many_children_are_refused
    a_child_whose_target_is_held_starts_nothing
    a_wake_is_never_lost
}
