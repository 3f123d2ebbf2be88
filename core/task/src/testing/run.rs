//! One run of one task with one fault, from the scene to the world at its end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;
use types::{
    Error, TaskId, Timestamp,
    states::{Task, TaskStep},
};

use super::{Fault, Scene, World, fault::Saboteur};
use crate::{
    children, control,
    engine::{Hand, Shared, claim, drive, journal},
    row::{hold, step, task},
};

/// More than any sane workflow needs on a simulated cloud.
const PATIENCE: Duration = Duration::from_secs(60);
/// A timer that is further away than this fires early: a step must stand that.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// How a run ended.
pub(super) struct End {
    pub fault: Fault,
    pub kind: String,
    pub state: Task,
    pub error: Option<Error>,
    pub steps: Vec<step::Model>,
    pub world: Value,
    /// The world at the start, as it must be after a failure.
    undone: Value,
    holds: u64,
    children: Vec<TaskId>,
}

impl End {
    pub fn check(&self, goal: &Value) {
        let what = format!(
            "{} with {:?} ended {}: {:?}",
            self.kind, self.fault, self.state, self.error
        );
        let open = self.steps.iter().filter(|step| step.state == TaskStep::Started);
        let open: Vec<_> = open.map(|step| &step.name).collect();
        assert!(open.is_empty(), "{what}\nsteps are left open: {open:?}");
        assert_eq!(self.holds, 0, "{what}\nthe resource is still held");
        assert!(self.children.is_empty(), "{what}\nchildren go on: {:?}", self.children);
        if self.fault.is_harmless() {
            assert_eq!(self.state, Task::Succeeded, "{what}\nit should have succeeded");
        }
        let wanted = if self.state == Task::Succeeded {
            goal
        } else {
            &self.undone
        };
        assert!(
            self.world == *wanted,
            "{what}\nthe world should be\n{wanted:#}\nand is\n{:#}",
            self.world
        );
    }
}

pub(super) async fn go(scene: Scene, fault: Fault) -> End {
    let undone = (scene.undone)((scene.world)().await);
    let plain = scene.engine.build().shared;
    let other = Arc::new(plain.renamed());
    let saboteur = Arc::new(Saboteur::new(fault, other, scene.task));
    let begun = Instant::now();
    let row = loop {
        assert!(begun.elapsed() < PATIENCE, "{fault:?}: the task does not end");
        let row = look(&plain, scene.task).await;
        if row.state.is_over() {
            break row;
        }
        if row.state == Task::NeedsOperator {
            repair(&plain, &row, &saboteur).await;
        }
        let timer = row
            .due_at
            .filter(|_| row.owner.is_none())
            .map(|due| due.since(Timestamp::now()));
        tokio::time::sleep(timer.unwrap_or_default().min(LONGEST_WAIT)).await;
        drive_once(&plain, &saboteur).await;
        drive_children(&plain, scene.task).await;
        assert_eq!(
            saboteur.trouble(),
            None,
            "{fault:?}: the fault could not be brought about"
        );
    };
    end(&plain, &scene.world, fault, row, undone).await
}

async fn end(shared: &Shared, world: &World, fault: Fault, row: task::Model, undone: Value) -> End {
    let holds = hold::Entity::find().filter(hold::Column::TaskId.eq(row.id));
    let children = open_children(shared, row.id).await;
    End {
        fault,
        kind: row.kind,
        state: row.state,
        error: row.error.map(|json| json.0),
        steps: journal::read(&shared.store, row.id)
            .await
            .expect("the journal is readable"),
        world: world().await,
        undone,
        children,
        holds: shared.store.count(holds).await.expect("the holds are readable"),
    }
}

async fn look(shared: &Shared, id: TaskId) -> task::Model {
    let row = shared.store.one(task::Entity::find_by_id(id)).await;
    row.expect("the task is readable").expect("the task exists")
}

/// A new process claims the task and drives it until it waits, ends or dies.
async fn drive_once(plain: &Shared, saboteur: &Arc<Saboteur>) {
    let shared = Arc::new(Shared {
        probe: Some(saboteur.clone()),
        ..plain.renamed()
    });
    let hand = claimed(&shared, saboteur.task()).await;
    tokio::select! {
        () = drive::drive(&shared, hand) => {}
        () = saboteur.died.notified() => {}
    }
}

/// Each child gets as far as it can without waiting. Its faults have scenes of their own.
async fn drive_children(plain: &Shared, parent: TaskId) {
    for child in open_children(plain, parent).await {
        let shared = Arc::new(plain.renamed());
        let hand = claimed(&shared, child).await;
        drive::drive(&shared, hand).await;
    }
}

async fn open_children(shared: &Shared, parent: TaskId) -> Vec<TaskId> {
    let rows = shared.store.all(children::open(parent)).await;
    let rows = rows.expect("the children are readable");
    rows.into_iter().map(|row| row.id).collect()
}

async fn claimed(shared: &Shared, id: TaskId) -> Arc<Hand> {
    let asked = Instant::now();
    let row = claim::by_force(shared, id).await.expect("the task can be claimed");
    let drain = tokio_util::sync::CancellationToken::new();
    Arc::new(Hand::new(shared, row, asked, drain))
}

/// Only a fault that wants it may lead here.
async fn repair(shared: &Shared, row: &task::Model, saboteur: &Saboteur) {
    let stuck = row.stuck.as_ref().map(|json| json.chain());
    let wanted = matches!(saboteur.fault, Fault::Stuck { .. }) && !saboteur.repaired.swap(true, Ordering::AcqRel);
    assert!(wanted, "{:?}: the task needs an operator: {stuck:?}", saboteur.fault);
    let cx = auth::Cx::service("operator", "testing");
    control::retry(&cx, &shared.store, row.id, "the fault is over")
        .await
        .expect("it can be retried");
}
