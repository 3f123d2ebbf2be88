//! Every fault at every step, through the harness that the product's workflows use.

use serde_json::{Value, json};
use store::sea_orm::EntityTrait;
use task::{
    Workflow,
    testing::{self, Report, Scene},
};
use types::{Error, Kind, TaskId};

use crate::{on_both, toys, world::World};

/// What exists on the cloud, and the records that were made and unmade.
async fn snapshot(world: World) -> Value {
    let events = world.store.all(store::event::Entity::find()).await.unwrap();
    let count = |kind: &str| events.iter().filter(|event| event.kind == kind).count() as i64;
    json!({
        "things": world.snapshot(),
        "records": count("thing.recorded") - count("thing.unrecorded"),
        "ends": count("thing.made") + count("thing.failed") + count("thing.cancelled"),
    })
}

fn scene(world: World, task: TaskId) -> Scene {
    let engine = world.builder();
    Scene::new(engine, task, move || snapshot(world.clone())).undone(|mut start| {
        start["ends"] = json!(1);
        start
    })
}

async fn through<W: Workflow>(world: World, make: impl Fn() -> W) -> Report {
    let make = &make;
    testing::exhaust::<W, _, _>(|| {
        let fresh = World {
            cloud: crate::world::Cloud::new(),
            ..world.clone()
        };
        async move {
            fresh.clear().await;
            let task = fresh.start(&make(), "t").await.unwrap();
            scene(fresh, task)
        }
    })
    .await
}

async fn a_workflow_survives_everything(world: World) {
    let report = through(world, toys::Build::three).await;
    assert_eq!(report.steps, ["make", "make", "make", "settle", "record"]);
    assert_eq!(report.not_taken, Vec::<String>::new());
    // Per step: 6 at the effect, 3 crashes, 1 cancel, 3 crashes and 2 stumbles of the undo, 1 stuck.
    assert_eq!(report.runs, 1 + 5 * 16);
}

/// What a child has finished stays; nothing else of a family that failed does.
async fn family_snapshot(world: World, parent: TaskId) -> Value {
    let tasks = world.store.all(task::row::task::Entity::find()).await.unwrap();
    let mut seen = json!({ "own": [], "torn": [], "made": [] });
    for (token, name) in world.cloud.look(|inner| inner.things.clone()) {
        let whose = tasks.iter().find(|row| token.starts_with(&row.id.to_string())).unwrap();
        let list = match whose.state {
            _ if whose.id == parent => "own",
            types::states::Task::Succeeded => "made",
            _ => "torn",
        };
        seen[list].as_array_mut().unwrap().push(json!(name));
    }
    if world.row(parent).await.state != types::states::Task::Succeeded {
        seen["made"] = json!([]);
    }
    seen
}

async fn a_family_survives_everything(world: World) {
    let report = testing::exhaust::<toys::Family, _, _>(|| {
        let fresh = World {
            cloud: crate::world::Cloud::new(),
            ..world.clone()
        };
        async move {
            fresh.clear().await;
            let family = toys::Family {
                policy: task::Policy::FirstFailure,
                limit: std::time::Duration::from_secs(3600),
                built: ["a", "b"].map(str::to_owned).to_vec(),
                gated: Vec::new(),
            };
            let task = fresh.start(&family, "t").await.unwrap();
            let engine = fresh.builder();
            Scene::new(engine, task, move || family_snapshot(fresh.clone(), task))
        }
    })
    .await;
    assert_eq!(report.steps, ["make", "spawn", "join", "make"]);
}

async fn what_a_caught_failure_left_is_undone_before_success(world: World) {
    world.cloud.fail("first", Error::new(Kind::Capacity, "full"), 1);
    let task = world.start(&toys::Fallback, "t").await.unwrap();
    let engine = world.builder().build();
    let stop = tokio_util::sync::CancellationToken::new();
    let run = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(stop).await }
    });
    assert_eq!(world.ended(task).await, types::states::Task::Succeeded);
    stop.cancel();
    run.await.unwrap();
    assert_eq!(world.snapshot(), json!(["second"]));
    assert_eq!(world.cloud.called("unmake first"), 1);
}

on_both! { a_workflow_survives_everything a_family_survives_everything what_a_caught_failure_left_is_undone_before_success }

#[test]
#[should_panic(expected = "workflow build is driven through no faults")]
fn a_workflow_that_is_not_driven_is_noticed() {
    testing::assert_covered(&toys::registry(), &[]);
}

#[tokio::test]
#[should_panic(expected = "the world should be")]
async fn a_leak_is_noticed() {
    let world = World::sqlite().await;
    testing::one(
        || {
            let fresh = World {
                cloud: crate::world::Cloud::new(),
                ..world.clone()
            };
            async move {
                fresh.clear().await;
                let task = fresh.start(&toys::Build::three(), "t").await.unwrap();
                let leaky = fresh.clone();
                Scene::new(fresh.builder(), task, move || {
                    let made = leaky.cloud.look(|inner| inner.calls.len());
                    async move { json!(made) }
                })
            }
        },
        testing::Fault::Fail(1, testing::Point::AfterEffect),
    )
    .await;
}
