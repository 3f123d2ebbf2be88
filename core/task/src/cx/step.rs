//! What a step may use: the store, its token, its deadline, application state.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use auth::Cx;
use serde::{Serialize, de::DeserializeOwned};
use store::{Store, Tx};
use tokio_util::sync::CancellationToken;
use types::{Error, Kind, Result, TaskId, Timestamp};

use crate::{
    engine::{Hand, Shared, journal},
    row::step,
    workflow::{read, write},
};

/// The code of the error that means "later".
pub(crate) const PARKED: &str = "step_parked";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Run,
    Undo,
}

/// One attempt to run or undo one step.
pub struct StepCx {
    shared: Arc<Shared>,
    hand: Arc<Hand>,
    row: step::Model,
    mode: Mode,
    deadline: Instant,
    cancelled: CancellationToken,
    committed: AtomicBool,
}

impl StepCx {
    pub(crate) fn new(
        shared: Arc<Shared>,
        hand: Arc<Hand>,
        row: step::Model,
        mode: Mode,
        deadline: Instant,
        cancelled: CancellationToken,
    ) -> Self {
        Self {
            shared,
            hand,
            row,
            mode,
            deadline,
            cancelled,
            committed: AtomicBool::new(false),
        }
    }

    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// The caller the task works for.
    pub fn cx(&self) -> &Cx {
        &self.hand.cx
    }

    /// 1 to 64 of `[a-z0-9-]`; differs for every step of every task and stays the same over retries.
    pub fn token(&self) -> &str {
        &self.row.token
    }

    pub fn task(&self) -> TaskId {
        self.hand.id
    }

    /// Application state given to the engine; panics when nobody added a `T`.
    pub fn get<T: Send + Sync + 'static>(&self) -> &T {
        self.shared.extensions.get()
    }

    /// `return Err(cx.park(1s))`: the step runs again then. The timer is in the database; no worker waits.
    pub fn park(&self, after: Duration) -> Error {
        Error::new(Kind::Unavailable, format!("step {} waits", self.row.name))
            .code(PARKED)
            .after(after)
    }

    /// When the step was first started; stays the same over retries.
    pub fn started_at(&self) -> Timestamp {
        self.row.started_at
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Fires when somebody cancelled the task, if the step may be interrupted, and when this worker lost it.
    pub fn cancelled(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// 1 for the first try; parks do not count.
    pub fn attempt(&self) -> u32 {
        let failed = match self.mode {
            Mode::Run => self.row.attempts,
            Mode::Undo => self.row.undo_attempts,
        };
        u32::try_from(failed).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// For `undo`: what `run` returned, or None when it did not finish and may have done something or nothing.
    pub fn output<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let output = self.row.output.as_ref();
        output.map(|json| read(&self.row.name, json)).transpose()
    }

    /// A transaction that only the worker that has the task can open: `Conflict`, code `fenced`, for all others.
    ///
    /// Until it ends nobody can take the task over. Never hold it over an effect.
    pub async fn tx(&self) -> Result<Tx> {
        journal::fenced(&self.shared.store, &self.hand).await
    }

    /// Commits row changes together with the step's end, so that they happen exactly once.
    ///
    /// In `run`, `output` is what `run` then returns; in `undo` give `&()`. After this do nothing but return.
    pub async fn commit<T: Serialize + Sync>(&self, tx: Tx, output: &T) -> Result<()> {
        match self.mode {
            Mode::Run => {
                let output = write(&self.row.name, output)?;
                journal::done(&tx, &self.row, output).await?;
            }
            Mode::Undo => journal::undone(&tx, &self.row).await?,
        }
        tx.commit().await?;
        self.committed.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn committed(&self) -> bool {
        self.committed.load(Ordering::Acquire)
    }
}
