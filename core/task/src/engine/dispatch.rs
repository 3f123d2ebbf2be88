//! The dispatcher: one per process. It claims what fits, fans out, and sleeps until a hint, a timer or the next look.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Hand, Shared, claim, drive, lease, meter};
use crate::QUEUE;

struct Dispatcher {
    shared: Arc<Shared>,
    hands: Arc<lease::Hands>,
    workers: JoinSet<()>,
    drain: CancellationToken,
}

pub(super) async fn run(shared: &Arc<Shared>, shutdown: CancellationToken) {
    let hands = Arc::new(lease::Hands::default());
    let mut aside = JoinSet::new();
    aside.spawn(lease::keep(shared.clone(), hands.clone()));
    aside.spawn(meter::watch(shared.clone()));
    let mut dispatcher = Dispatcher {
        shared: shared.clone(),
        hands,
        workers: JoinSet::new(),
        drain: CancellationToken::new(),
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = dispatcher.work() => {}
    }
    dispatcher.drain().await;
}

impl Dispatcher {
    async fn work(&mut self) {
        let mut hints = self.shared.store.signal(QUEUE);
        loop {
            hints.borrow_and_update();
            while self.workers.try_join_next().is_some() {}
            let room = self.shared.workers.saturating_sub(self.workers.len());
            if room == 0 {
                self.workers.join_next().await;
                continue;
            }
            let wait = match self.claim(room).await {
                Ok(Some(wait)) => wait,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(error = error.chain(), "no tasks could be claimed; it is tried again");
                    self.shared.settings.poll
                }
            };
            tokio::select! {
                _ = timeout(wait, hints.changed()) => {}
                // A task that was given back has a timer that may be the next one.
                Some(_) = self.workers.join_next() => {}
            }
        }
    }

    /// Claims and starts; how long to sleep when there was nothing.
    async fn claim(&mut self, room: usize) -> types::Result<Option<Duration>> {
        let settings = &self.shared.settings;
        let most = settings.batch.min(room as u64);
        let asked = Instant::now();
        let rows = claim::some(&self.shared, most).await?;
        if rows.is_empty() {
            let due = claim::next_due(&self.shared).await?.unwrap_or(settings.poll);
            return Ok(Some(due.clamp(Duration::from_millis(2), settings.poll)));
        }
        for row in rows {
            let hand = Arc::new(Hand::new(&self.shared, row, asked, self.drain.clone()));
            self.hands.add(hand.clone());
            let (shared, hands) = (self.shared.clone(), self.hands.clone());
            self.workers.spawn(async move {
                drive::drive(&shared, hand.clone()).await;
                hands.remove(&hand);
            });
        }
        Ok(None)
    }

    /// Nothing new; steps under way may end; what is left is given to others.
    async fn drain(mut self) {
        self.drain.cancel();
        let ended = async { while self.workers.join_next().await.is_some() {} };
        if timeout(self.shared.settings.drain, ended).await.is_ok() {
            return;
        }
        self.workers.shutdown().await;
        let left = self.hands.all();
        tracing::info!(tasks = left.len(), "tasks under way are handed over");
        if let Err(error) = lease::drop_all(&self.shared, &left).await {
            tracing::warn!(
                error = error.chain(),
                "tasks could not be handed over; their leases run out"
            );
        }
    }
}
