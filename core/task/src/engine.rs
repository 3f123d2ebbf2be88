//! The engine of one process: claims tasks in batches, drives each, keeps its leases, hands over when it ends.

pub(crate) mod attempt;
pub(crate) mod journal;

mod build;
mod dispatch;
mod drive;
mod finish;
mod lease;
mod meter;
mod probe;
mod retry;
mod undo;

use std::sync::Arc;

use auth::{Cx, Policy};
use store::Store;
use tokio_util::sync::CancellationToken;
use types::TaskId;

use crate::{Registry, row::task};

pub use build::{Builder, Extensions, Settings};
pub(crate) use probe::{Point, Probe, Verdict};

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
pub(crate) struct Shared {
    pub store: Store,
    pub registry: Registry,
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
}
