//! Work of many callers that is committed together, each caller told its own outcome.
//!
//! Whoever comes first has a transaction begun at once; those who come while it commits share the next one. So nobody
//! waits for company, and the more there is to do the fewer commits each needs.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;
use types::{Error, Result};

/// Most items in one transaction: a bound on how long the first waits for the last.
const MOST: usize = 256;

/// How items are written.
pub(super) trait Commit: Send + Sync + 'static {
    type Item: Send + Sync + 'static;
    type Answer: Send + 'static;

    /// One answer for each item, in their order; None when they cannot be written together.
    fn together(&self, items: &[Self::Item]) -> impl Future<Output = Option<Vec<Result<Self::Answer>>>> + Send;

    fn alone(&self, item: &Self::Item) -> impl Future<Output = Result<Self::Answer>> + Send;
}

pub(super) struct Queue<C: Commit> {
    commit: C,
    waiting: Mutex<Waiting<C>>,
}

/// An item, and who waits for its answer.
struct Member<C: Commit> {
    item: C::Item,
    told: oneshot::Sender<Result<C::Answer>>,
}

struct Waiting<C: Commit> {
    members: Vec<Member<C>>,
    /// Somebody commits, and will look again afterwards.
    busy: bool,
}

impl<C: Commit> Default for Waiting<C> {
    fn default() -> Self {
        Self {
            members: Vec::new(),
            busy: false,
        }
    }
}

impl<C: Commit> Queue<C> {
    pub fn new(commit: C) -> Arc<Self> {
        Arc::new(Self {
            commit,
            waiting: Mutex::default(),
        })
    }

    pub async fn write(self: &Arc<Self>, item: C::Item) -> Result<C::Answer> {
        let (told, hears) = oneshot::channel();
        let first = {
            let mut waiting = self.lock();
            waiting.members.push(Member { item, told });
            !mem::replace(&mut waiting.busy, true)
        };
        if first {
            let queue = self.clone();
            // On its own, because this future may be dropped while others wait for the same commit.
            tokio::spawn(Turn { queue, over: false }.work());
        }
        hears
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("the journal's writer stopped")))
    }

    /// The next group. None ends the turn.
    fn next(&self) -> Option<Vec<Member<C>>> {
        let mut waiting = self.lock();
        if waiting.members.is_empty() {
            waiting.busy = false;
            return None;
        }
        let most = waiting.members.len().min(MOST);
        Some(waiting.members.drain(..most).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<C>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Commits group after group until nobody waits.
struct Turn<C: Commit> {
    queue: Arc<Queue<C>>,
    /// Nobody waited any more: the next turn may have begun.
    over: bool,
}

impl<C: Commit> Turn<C> {
    async fn work(mut self) {
        while let Some(members) = self.queue.next() {
            let (items, told): (Vec<_>, Vec<_>) = members.into_iter().map(|m| (m.item, m.told)).unzip();
            // Who does not listen any more was dropped, and will read the journal when it runs again.
            match self.queue.commit.together(&items).await {
                Some(answers) => told
                    .into_iter()
                    .zip(answers)
                    .for_each(|(told, answer)| drop(told.send(answer))),
                None => items
                    .into_iter()
                    .zip(told)
                    .for_each(|(item, told)| self.aside(item, told)),
            }
        }
        self.over = true;
    }

    /// Nobody else waits for an item that has to be written alone.
    fn aside(&self, item: C::Item, told: oneshot::Sender<Result<C::Answer>>) {
        let queue = self.queue.clone();
        tokio::spawn(async move { drop(told.send(queue.commit.alone(&item).await)) });
    }
}

impl<C: Commit> Drop for Turn<C> {
    /// A turn that ends otherwise, with the runtime or by a panic, leaves nobody waiting for it.
    fn drop(&mut self) {
        if !self.over {
            *self.queue.lock() = Waiting::default();
        }
    }
}
