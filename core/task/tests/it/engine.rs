//! The dispatcher at work: two engines, takeover, drain, retries, deadlines.

use serde_json::json;
use task::Engine;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use types::{Error, Kind, TaskId, states::Task};

use crate::{
    on_both, toys,
    world::{World, quick},
};

/// An engine that runs until it is stopped, or killed.
pub struct Running {
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Running {
    pub fn new(engine: Engine) -> Self {
        let stop = CancellationToken::new();
        let handle = tokio::spawn({
            let stop = stop.clone();
            async move { engine.run(stop).await }
        });
        Self { stop, handle }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.handle.await.unwrap();
    }

    /// Like the death of its process: nothing is written any more.
    pub async fn kill(self) {
        self.handle.abort();
        let _ = self.handle.await;
    }
}

async fn a_task_runs_and_tells_of_it(world: World) {
    let task = world.start(&toys::Build::three(), "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    engine.stop().await;
    assert_eq!(world.snapshot(), json!(["a", "b", "c"]));
    assert_eq!(
        world.events(task).await,
        ["task.queued", "task.running", "thing.recorded", "task.succeeded"]
    );
    let (row, steps) = world.seen(task).await;
    let view = task::view(row, steps);
    assert_eq!(view.progress.as_deref(), Some("making c"));
    assert!(view.started_at.is_some() && view.finished_at.is_some());
    assert_eq!(view.steps.len(), 5);
}

async fn a_dead_workers_tasks_are_taken_over(world: World) {
    let task = world.start(&toys::Gated { interruptible: true }, "t").await.unwrap();
    let first = Running::new(world.builder().build());
    world
        .cloud
        .until("the gate", |inner| inner.calls.contains(&"gate".to_owned()))
        .await;
    first.kill().await;
    world
        .cloud
        .until("the first worker's death", |inner| {
            inner.calls.contains(&"left the gate".to_owned())
        })
        .await;
    world.cloud.open.send_replace(true);
    let second = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    second.stop().await;
    assert_eq!(world.cloud.called("make a"), 1, "a finished step is not run again");
    assert_eq!(world.cloud.called("gate"), 2, "a started one is");
    assert!(world.row(task).await.fence >= 2);
}

async fn a_stopping_engine_hands_over_at_once(world: World) {
    let task = world.start(&toys::Gated { interruptible: true }, "t").await.unwrap();
    let patient = task::Settings {
        lease: std::time::Duration::from_secs(3600),
        ..quick()
    };
    let first = Running::new(world.builder().settings(patient.clone()).build());
    world
        .cloud
        .until("the gate", |inner| inner.calls.contains(&"gate".to_owned()))
        .await;
    first.stop().await;
    assert_eq!(world.row(task).await.owner, None);
    world.cloud.open.send_replace(true);
    let second = Running::new(world.builder().settings(patient).build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    second.stop().await;
}

async fn two_engines_share_the_work_and_double_nothing(world: World) {
    // Nobody dies here, so no lease may end on a busy machine.
    let patient = task::Settings {
        lease: std::time::Duration::from_secs(30),
        ..quick()
    };
    let engines = [(); 2].map(|()| Running::new(world.builder().workers(8).settings(patient.clone()).build()));
    let mut tasks: Vec<TaskId> = Vec::new();
    for n in 0..40 {
        let things = vec![format!("thing-{n:02}")];
        tasks.push(world.start(&toys::Build { things }, &n.to_string()).await.unwrap());
    }
    for task in tasks {
        assert_eq!(world.ended(task).await, Task::Succeeded);
    }
    for engine in engines {
        engine.stop().await;
    }
    for n in 0..40 {
        assert_eq!(world.cloud.called(&format!("make thing-{n:02}")), 1);
    }
}

async fn temporary_errors_are_tried_again(world: World) {
    world.cloud.fail("b", Error::unavailable("the cloud is busy"), 3);
    let task = world.start(&toys::Build::three(), "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Succeeded);
    engine.stop().await;
    assert_eq!(world.cloud.called("make b"), 4);
    assert_eq!(world.steps(task).await[1].attempts, 3);
}

async fn a_permanent_error_undoes_in_reverse(world: World) {
    world.cloud.fail("c", Error::new(Kind::Quota, "too many things"), 1);
    let task = world.start(&toys::Build::three(), "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Failed);
    engine.stop().await;
    let calls = world.cloud.look(|inner| inner.calls.clone());
    assert_eq!(
        calls,
        ["make a", "make b", "make c", "unmake c", "unmake b", "unmake a"]
    );
    let row = world.row(task).await;
    assert_eq!(row.error.unwrap().kind, Kind::Quota);
    assert_eq!(
        world.events(task).await,
        ["task.queued", "task.running", "task.undoing", "task.failed"]
    );
}

async fn an_end_that_is_refused_undoes(world: World) {
    let task = world.start(&toys::Guarded, "t").await.unwrap();
    let engine = Running::new(world.builder().build());
    assert_eq!(world.ended(task).await, Task::Failed);
    engine.stop().await;
    assert_eq!(world.snapshot(), json!([]));
    assert_eq!(world.row(task).await.error.unwrap().message, "somebody was faster");
}

on_both! {
    a_task_runs_and_tells_of_it
    a_dead_workers_tasks_are_taken_over
    a_stopping_engine_hands_over_at_once
    two_engines_share_the_work_and_double_nothing
    temporary_errors_are_tried_again
    a_permanent_error_undoes_in_reverse
    an_end_that_is_refused_undoes
}

/// PostgreSQL drops every connection again and again; no task fails for it, and no effect happens twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_fails_nothing() {
    let world = World::postgres().await;
    let mut tasks = Vec::new();
    for n in 0..20 {
        tasks.push(world.start(&toys::Build::three(), &n.to_string()).await.unwrap());
    }
    let engine = Running::new(world.builder().build());
    for round in 1..=5 {
        world
            .cloud
            .until("progress", |inner| inner.calls.len() >= round * 10)
            .await;
        world.disconnect().await;
    }
    for task in tasks {
        let ended = async {
            loop {
                match task::wait(&world.store, task, std::time::Duration::from_secs(20)).await {
                    Ok(state) => break state,
                    Err(error) => assert!(error.is_temporary(), "{error:?}"),
                }
            }
        };
        let state = ended.await;
        assert_eq!(state, Task::Succeeded, "{:?}", world.row(task).await);
        let recorded = world.events(task).await;
        assert_eq!(recorded.iter().filter(|kind| *kind == "thing.recorded").count(), 1);
    }
    engine.stop().await;
    assert_eq!(world.cloud.look(|inner| inner.things.len()), 60);
}
