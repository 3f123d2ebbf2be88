//! The engine of one process: claims tasks in batches, drives each, keeps its leases, hands over when it ends.

pub(crate) mod attempt;
pub(crate) mod journal;

mod build;
pub(crate) mod claim;
mod dispatch;
pub(crate) mod drive;
pub(crate) mod finish;
mod held;
mod lease;
mod meter;
mod probe;
pub(crate) mod retry;
mod undo;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use auth::{Cx, Policy};
use store::Store;
use tokio_util::sync::CancellationToken;
use types::{TaskId, Timestamp};

use crate::{Registry, row::task};

pub use build::{Builder, Extensions, Settings};
pub use probe::Point;
pub(crate) use probe::{Probe, Verdict};

/// A dispatcher and its workers.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

impl Engine {
    pub fn builder(store: Store, registry: Registry) -> Builder {
        Builder::new(store, registry)
    }

    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Works until `shutdown`, then takes nothing new, lets steps under way end for [`Settings::drain`], and hands
    /// the rest over. Dropping it instead is like the death of the process.
    pub async fn run(&self, shutdown: CancellationToken) {
        dispatch::run(&self.shared, shutdown).await;
    }
}

/// What all workers of an engine use.
#[derive(Clone)]
pub(crate) struct Shared {
    pub store: Store,
    pub writer: Arc<writer::Writer>,
    pub registry: Arc<Registry>,
    pub extensions: Extensions,
    pub policy: Arc<Policy>,
    /// Differs for every engine ever built.
    pub owner: String,
    pub workers: usize,
    pub settings: Settings,
    pub probe: Option<Arc<dyn Probe>>,
}

/// One claim of one task.
pub(crate) struct Hand {
    pub id: TaskId,
    pub owner: String,
    pub fence: i64,
    /// As claimed.
    pub row: task::Model,
    pub cx: Cx,
    /// A person wants it undone.
    pub cancel: CancellationToken,
    /// Somebody else has it, or may have it.
    pub lost: CancellationToken,
    /// This process ends.
    pub drain: CancellationToken,
    /// When the task must be over, and how long that is after it began.
    pub limit: Option<(Timestamp, Duration)>,
    /// When the database last agreed that it is ours.
    pub renewed: Mutex<Instant>,
}

impl Hand {
    /// `row` as claimed, with the new fence; the claim was `asked` for then, so that we never count a lease as longer than it is.
    pub fn new(shared: &Shared, row: task::Model, asked: Instant, drain: CancellationToken) -> Self {
        let cancel = CancellationToken::new();
        if row.cancel_requested {
            cancel.cancel();
        }
        // Parameters that cannot be read stop the task before it begins.
        let workflow = shared.registry.get(&row.kind);
        let limit = workflow.and_then(|workflow| workflow.limit(&row.params).ok());
        Self {
            id: row.id,
            owner: shared.owner.clone(),
            fence: row.fence,
            cx: Cx::new(row.who.0.clone(), shared.policy.clone(), &row.request_id),
            limit: row.started_at.zip(limit).map(|(begun, limit)| (begun + limit, limit)),
            row,
            cancel,
            lost: CancellationToken::new(),
            drain,
            renewed: Mutex::new(asked),
        }
    }

    /// Whether the task has taken as long as it may.
    pub fn is_overdue(&self) -> bool {
        self.limit.is_some_and(|(end, _)| Timestamp::now() >= end)
    }

    /// `wait`, or less when the task must be over before that. Nothing is left to cut once it is overdue.
    pub fn cut(&self, wait: Duration) -> Duration {
        let now = Timestamp::now();
        match self.limit {
            Some((end, _)) if now < end => wait.min(end.since(now)),
            _ => wait,
        }
    }

    /// Since the lease was last known to begin.
    pub fn age(&self) -> Duration {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}
