//! Durable workflows: work that survives the death of any process, and is completed or undone.
//!
//! A [`Workflow`] is an ordinary async function; its effects happen in [`Step`]s, each with `run` and `undo` beside
//! each other. [`start`] puts a task into the caller's transaction; an [`Engine`] in some replica takes it up.
//!
//! ```text
//!  start ──> queued ──> running ──────────────────────────> succeeded
//!               │          │  error, cancel                     finish() and the final state: one transaction
//!               │          v
//!               └──────> undoing ──> failed | cancelled
//!                          │  keeps failing
//!                          v
//!                    needs_operator ──> (retry, abandon)
//! ```
//!
//! Journal before effect: a step's name, parameters and token are on disk before `run`, its output after. To resume,
//! the function runs again and finished steps answer from the journal; a started one runs again with the same token.
//! To undo, the function is not needed: the journal is walked backwards.
//!
//! A task belongs to a worker for as long as `due_at`, which heartbeats push ahead, lies in the future. Who claims it
//! raises `fence`; every later write of the worker before is refused by the database.

pub mod children;
pub mod control;
pub mod cx;
pub mod engine;
pub mod history;
pub mod load;
pub mod orphans;
pub mod pause;
pub mod reconcile;
pub mod registry;
pub mod row;
pub mod start;
pub mod testing;
pub mod view;
pub mod wait;
pub mod workflow;

pub use children::{Child, Join, MOST_CHILDREN, Policy, Spawn, Tally, tallies};
pub use control::{abandon, cancel, retry, wake};
pub use cx::{StepCx, TaskCx};
pub use engine::{Engine, Extensions, Settings};
pub use history::{History, Keep};
pub use orphans::arrive;
pub use reconcile::{Next, ReconcileCx, Reconciler, Resource};
pub use registry::Registry;
pub use start::{Started, Target, hold, join_or_start, start, start_with};
pub use view::{TaskView, view};
pub use wait::wait;
pub use workflow::{Outcome, Step, StepKind, Workflow};

/// What the tables of this crate need.
pub const MIGRATIONS: &[store::Migration] = &[
    store::Migration {
        name: "task/0001_tasks",
        sql: include_str!("migrations/0001_tasks.sql"),
    },
    store::Migration {
        name: "task/0002_children",
        sql: include_str!("migrations/0002_children.sql"),
    },
    store::Migration {
        name: "task/0003_history",
        sql: include_str!("migrations/0003_history.sql"),
    },
    store::Migration {
        name: "task/0004_pause",
        sql: include_str!("migrations/0004_pause.sql"),
    },
    store::Migration {
        name: "task/0005_setbacks",
        sql: include_str!("migrations/0005_setbacks.sql"),
    },
];

/// The channel that wakes those who wait for tasks to change.
pub const CHANNEL: &str = "tasks";

/// The channel that wakes engines: there is work.
pub(crate) const QUEUE: &str = "task-queue";

/// The channel that wakes engines: somebody wants one of their tasks undone.
pub(crate) const CANCELS: &str = "task-cancels";
