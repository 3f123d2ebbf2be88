//! The dispatcher: one per process. It claims what fits, fans out, and sleeps until a hint, a timer or the next look.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Hand, Shared, claim, drive, lease, meter};
use crate::QUEUE;

/// How long a full engine waits for room for a whole batch.
const GATHER: Duration = Duration::from_millis(5);

struct Dispatcher {
    shared: Arc<Shared>,
    hands: Arc<lease::Hands>,
    workers: JoinSet<()>,
    drain: CancellationToken,
    /// The last claim left something in the queue.
    behind: bool,
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
        behind: false,
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
            let room = self.room().await;
            let wait = match self.claim(room).await {
                Ok(Some(wait)) => wait,
                Ok(None) => continue,
                Err(error) => {
                    tracing::warn!(error = error.chain(), "no tasks could be claimed; it is tried again");
                    self.behind = false;
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

    /// How many more tasks can be driven; waits until there is room. With more in the queue than fits, a claim for each
    /// worker that ends would cost more than the work: it waits a moment for room for a whole batch.
    async fn room(&mut self) -> usize {
        let wanted = if self.behind {
            (self.shared.settings.batch as usize)
                .min(self.shared.workers / 2)
                .max(1)
        } else {
            1
        };
        let enough = async {
            while self.shared.workers.saturating_sub(self.workers.len()) < wanted {
                self.workers.join_next().await;
            }
        };
        // What there is room for now is taken then.
        drop(timeout(GATHER, enough).await);
        while self.workers.try_join_next().is_some() {}
        if self.workers.len() >= self.shared.workers {
            self.workers.join_next().await;
        }
        self.shared.workers.saturating_sub(self.workers.len())
    }

    /// Claims and starts; how long to sleep when there was nothing.
    async fn claim(&mut self, room: usize) -> types::Result<Option<Duration>> {
        let settings = &self.shared.settings;
        let most = settings.batch.min(room as u64);
        let asked = Instant::now();
        let rows = match claim::some(&self.shared, most).await? {
            claim::Found::Tasks(rows) => rows,
            claim::Found::Nothing(due) => {
                self.behind = false;
                let due = due.unwrap_or(settings.poll);
                return Ok(Some(due.clamp(Duration::from_millis(2), settings.poll)));
            }
        };
        self.behind = rows.len() as u64 == most;
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
