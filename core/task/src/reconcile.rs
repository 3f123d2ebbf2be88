//! Loops that keep two truths equal. They take no input; a wake-up is only a hint. One replica at a time runs each.

mod round;

use std::{future::Future, time::Duration};

use auth::Cx;
use store::Store;
use tokio_util::sync::CancellationToken;
use types::Result;

use crate::{Settings, engine::Extensions};

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

    /// One round; an error is tried again with growing waits. It may be dropped at any await and is then run again, here or in another replica.
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

/// Takes part in running `reconciler` until `shutdown`: every replica calls this, and one at a time does the rounds.
pub async fn run<R: Reconciler>(reconciler: R, store: Store, extensions: Extensions, shutdown: CancellationToken) {
    run_with(Settings::default(), reconciler, store, extensions, shutdown).await;
}

/// Like [`run`], with other times: lease, beat, poll and backoff count here.
pub async fn run_with<R: Reconciler>(
    settings: Settings,
    reconciler: R,
    store: Store,
    extensions: Extensions,
    shutdown: CancellationToken,
) {
    let rounds = round::Rounds::new(settings, reconciler, store, extensions);
    tokio::select! {
        () = shutdown.cancelled() => rounds.let_go().await,
        () = rounds.run() => {}
    }
}
