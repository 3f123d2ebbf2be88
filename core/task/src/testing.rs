//! Drives one workflow through every fault: each step fails, each process dies at each point, each undo is repeated.
//!
//! Nothing here depends on time or chance. There is no dispatcher: the harness claims the task by force, drives it,
//! and when a fault "kills the process" it drops the drive and claims again as another worker with a higher fence.
//! Children of the task are driven undisturbed, each as far as it gets whenever the task was driven; their own faults
//! have scenes of their own. After each run no child may be left open, and the world must equal the goal (if the task succeeded) or the start (if it did not).
//!
//! ```text
//! #[tokio::test]
//! async fn create_server_survives_everything() {
//!     let report = testing::exhaust::<CreateServer, _, _>(|| async {
//!         let site = Site::new().await;                        // a fresh store, a fresh sim cloud
//!         let task = site.queue_create_server().await;         // start() and the caller's rows, committed
//!         let engine = Engine::builder(site.store.clone(), region::workflows()).extension(site.sim.clone());
//!         Scene::new(engine, task, move || { let site = site.clone(); async move { site.snapshot().await } })
//!             // What a failed create leaves besides the start: here, the row's state.
//!             .undone(|mut start| { start["servers"][0]["state"] = "failed".into(); start })
//!     })
//!     .await;
//! }
//! ```

mod fault;
mod run;

use std::future::Future;

use futures::future::BoxFuture;
use serde_json::Value;
use types::{TaskId, states::Task};

use crate::{Registry, Workflow, engine::Builder};

pub use crate::engine::Point;
pub use fault::Fault;

type World = Box<dyn Fn() -> BoxFuture<'static, Value> + Send + Sync>;

/// A fresh world with one task queued in it.
pub struct Scene {
    pub(crate) engine: Builder,
    pub(crate) task: TaskId,
    pub(crate) world: World,
    pub(crate) undone: Box<dyn Fn(Value) -> Value + Send + Sync>,
}

impl Scene {
    /// `world` shows everything that must not leak: rows, quota, claims, addresses, what exists on the cloud. Leave
    /// out what differs between two equal worlds, such as ids and times.
    pub fn new<F, R>(engine: Builder, task: TaskId, world: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Value> + Send + 'static,
    {
        Self {
            engine,
            task,
            world: Box::new(move || Box::pin(world())),
            undone: Box::new(|start| start),
        }
    }

    /// What the world at the start becomes when the task fails; the same, if this is not called.
    pub fn undone(mut self, undone: impl Fn(Value) -> Value + Send + Sync + 'static) -> Self {
        self.undone = Box::new(undone);
        self
    }
}

/// What was driven.
#[derive(Clone, Debug)]
pub struct Report {
    pub workflow: &'static str,
    /// The steps that ran, in the order of the undisturbed run.
    pub steps: Vec<String>,
    /// Steps the workflow lists and the undisturbed run does not take: another scene must take them.
    pub not_taken: Vec<String>,
    /// How many worlds were made and compared.
    pub runs: usize,
}

/// Runs `W` undisturbed and then once per fault and step, each in a fresh scene. Panics when a world is wrong.
pub async fn exhaust<W, F, R>(scene: F) -> Report
where
    W: Workflow,
    F: Fn() -> R,
    R: Future<Output = Scene>,
{
    let plain = run::go(scene().await, Fault::None).await;
    assert_eq!(plain.kind, W::NAME, "the scene queued another workflow");
    assert_eq!(
        plain.state,
        Task::Succeeded,
        "undisturbed, {} failed: {:?}",
        W::NAME,
        plain.error
    );
    let steps: Vec<_> = plain.steps.iter().map(|step| step.name.clone()).collect();
    let mut runs = 1;
    for fault in fault::all(steps.len()) {
        let end = run::go(scene().await, fault).await;
        end.check(&plain.world);
        runs += 1;
    }
    let listed = W::steps().into_iter().map(|kind| kind.name.to_owned());
    Report {
        workflow: W::NAME,
        not_taken: listed.filter(|name| !steps.contains(name)).collect(),
        steps,
        runs,
    }
}

/// Runs one fault alone, to look at it closely.
pub async fn one<F, R>(scene: F, fault: Fault)
where
    F: Fn() -> R,
    R: Future<Output = Scene>,
{
    let plain = run::go(scene().await, Fault::None).await;
    run::go(scene().await, fault).await.check(&plain.world);
}

/// Panics when a workflow of the registry, or a step of one, is in no report.
pub fn assert_covered(registry: &Registry, reports: &[Report]) {
    for name in registry.names() {
        let of_name: Vec<_> = reports.iter().filter(|report| report.workflow == name).collect();
        assert!(!of_name.is_empty(), "workflow {name} is driven through no faults");
        for step in registry.steps(name) {
            let taken = of_name
                .iter()
                .any(|report| report.steps.iter().any(|taken| taken == step));
            assert!(taken, "step {step} of workflow {name} is driven through no faults");
        }
    }
}
