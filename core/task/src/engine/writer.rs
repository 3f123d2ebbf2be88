//! Group commit of the journal: steps of many tasks that begin or end together are written in one transaction.
//!
//! Whoever comes first has a transaction begun at once; those who come while it commits share the next one. So nobody
//! waits for company, and the more there is to do the fewer commits each task needs. Each member of a group hears its
//! own outcome: a worker that lost its task is refused beside others whose writes go through.

mod group;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use store::Store;
use tokio::sync::oneshot;
use types::{Error, Result, Timestamp, states::TaskStep};

use super::Hand;
use crate::row::step;
use group::{Line, commit};

/// Most writes in one transaction: a bound on how long the first waits for the last.
const MOST: usize = 256;

/// The writes of one engine.
pub(crate) struct Writer {
    store: Store,
    owner: String,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    members: Vec<Member>,
    /// Somebody commits, and will look again afterwards.
    busy: bool,
}

struct Member {
    line: Line,
    told: oneshot::Sender<Result<()>>,
}

impl Writer {
    pub fn new(store: Store, owner: String) -> Arc<Self> {
        Arc::new(Self {
            store,
            owner,
            waiting: Mutex::default(),
        })
    }

    /// Writes down a step that begins.
    ///
    /// Errors: `Conflict`, code `fenced`, when the task is another worker's; `Cancelled` when somebody wants the task
    /// undone; `Unavailable` when nobody knows.
    pub async fn begin(self: &Arc<Self>, hand: &Hand, row: &step::Model) -> Result<()> {
        self.write(hand, row, TaskStep::Started, None).await
    }

    /// Marks a started step as done. Errors as in [`Writer::begin`].
    pub async fn done(self: &Arc<Self>, hand: &Hand, row: &step::Model, output: &serde_json::Value) -> Result<()> {
        self.write(hand, row, TaskStep::Done, Some(output.to_string())).await
    }

    async fn write(
        self: &Arc<Self>,
        hand: &Hand,
        row: &step::Model,
        state: TaskStep,
        output: Option<String>,
    ) -> Result<()> {
        let (told, hears) = oneshot::channel();
        let line = Line {
            task_id: hand.id,
            fence: hand.fence,
            seq: row.seq,
            name: row.name.clone(),
            token: row.token.clone(),
            state,
            params: row.params.to_string(),
            output,
            at: Timestamp::now().as_micros(),
        };
        let first = {
            let mut waiting = self.lock();
            waiting.members.push(Member { line, told });
            !mem::replace(&mut waiting.busy, true)
        };
        if first {
            // On its own, because this future may be dropped while others wait for the same commit.
            let writer = self.clone();
            tokio::spawn(Turn { writer, over: false }.work());
        }
        hears
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("the journal's writer stopped")))
    }

    /// The next group. None ends the turn.
    fn next(&self) -> Option<Vec<Member>> {
        let mut waiting = self.lock();
        if waiting.members.is_empty() {
            waiting.busy = false;
            return None;
        }
        let most = waiting.members.len().min(MOST);
        Some(waiting.members.drain(..most).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Commits group after group until nobody waits.
struct Turn {
    writer: Arc<Writer>,
    /// Nobody waited any more: the next turn may have begun.
    over: bool,
}

impl Turn {
    async fn work(mut self) {
        while let Some(members) = self.writer.next() {
            let (lines, told): (Vec<_>, Vec<_>) = members.into_iter().map(|m| (m.line, m.told)).unzip();
            let results = match commit(&self.writer.store, &self.writer.owner, &lines).await {
                Ok(results) => results,
                Err(error) => vec![Err(error); lines.len()],
            };
            for (told, result) in told.into_iter().zip(results) {
                // Who does not listen any more was dropped, and will read the journal when it runs again.
                let _ = told.send(result);
            }
        }
        self.over = true;
    }
}

impl Drop for Turn {
    /// A turn that ends otherwise, with the runtime or by a panic, leaves nobody waiting for it.
    fn drop(&mut self) {
        if !self.over {
            *self.writer.lock() = Waiting::default();
        }
    }
}
