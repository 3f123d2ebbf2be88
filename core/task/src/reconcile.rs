//! Loops that keep two truths equal. They take no input; a wake-up is only a hint. One replica at a time runs each.

mod each;
mod round;
mod setback;

use std::{collections::HashSet, future::Future, time::Duration};

use auth::Cx;
use store::Store;
use tokio_util::sync::CancellationToken;
use types::Result;

pub use each::Resource;

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
#[derive(Clone)]
pub struct ReconcileCx {
    /// Of the reconciler.
    pub(crate) name: &'static str,
    pub(crate) every: Duration,
    pub(crate) settings: Settings,
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

    /// The ids of the resources whose last look failed.
    pub async fn held_back(&self) -> Result<HashSet<String>> {
        Ok(setback::all(self).await?.into_keys().collect())
    }

    /// Looks at all of many resources at once, each at its own pace: while some take long, the others are looked at
    /// again and again, as often as [`Reconciler::every`] says; when none takes long, this returns.
    ///
    /// - One that fails is left alone for longer with every failure in a row, here and in whichever replica takes over.
    /// - One whose generation moved is looked at at once, and its failures are forgotten.
    /// - A look that answers [`Next::Now`] is followed by another at once.
    pub async fn each<T, L, F>(
        &self,
        list: impl Fn(Self) -> L + Send + Sync,
        look: impl Fn(Self, T) -> F + Send + Sync,
    ) -> Result<Next>
    where
        T: Clone + Send + Sync + 'static,
        L: Future<Output = Result<Vec<Resource<T>>>> + Send,
        F: Future<Output = Result<Next>> + Send + 'static,
    {
        each::all(self, list, look).await
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
