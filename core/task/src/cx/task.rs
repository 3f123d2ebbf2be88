//! A workflow's run: steps answer from the journal, or are written down and tried.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use auth::Cx;
use serde_json::Value;
use tokio::sync::Notify;
use types::{Error, Kind, Result, TaskId, states::TaskStep};

use crate::{
    Step,
    engine::{Hand, Shared, attempt, journal},
    row::step,
    workflow::{MISFIT, read, write},
};

/// Why a run goes no further now. The function is dropped; the journal knows everything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop {
    /// A timer, in the database.
    Later(std::time::Duration),
    /// Another worker may have the task: touch nothing.
    Lost,
    /// A person must look.
    Stuck(Error),
    /// A person wants it undone.
    Cancel,
    /// It took longer than its workflow may.
    Overdue,
    /// This process ends; whoever is next goes on at once.
    HandOver,
}

/// The journal and the place in it.
struct Progress {
    journal: Vec<step::Model>,
    text: Option<String>,
}

/// What a workflow sees of its task.
pub struct TaskCx {
    pub(crate) shared: Arc<Shared>,
    pub(crate) hand: Arc<Hand>,
    steps: Vec<&'static str>,
    progress: Mutex<Progress>,
    next: AtomicUsize,
    in_step: AtomicBool,
    why: Mutex<Option<Stop>>,
    stopped: Notify,
}

impl TaskCx {
    pub(crate) fn new(
        shared: Arc<Shared>,
        hand: Arc<Hand>,
        steps: Vec<&'static str>,
        journal: Vec<step::Model>,
    ) -> Self {
        let text = hand.row.progress.clone();
        Self {
            shared,
            hand,
            steps,
            progress: Mutex::new(Progress { journal, text }),
            next: AtomicUsize::new(0),
            in_step: AtomicBool::new(false),
            why: Mutex::default(),
            stopped: Notify::new(),
        }
    }

    pub fn id(&self) -> TaskId {
        self.hand.id
    }

    /// The caller the task works for.
    pub fn cx(&self) -> &Cx {
        &self.hand.cx
    }

    /// Runs the step, or answers with what it returned before. One step at a time.
    ///
    /// Only permanent errors come back. A workflow that goes on after one need not clean up: what the failed step half
    /// did is undone before the task succeeds.
    pub async fn step<S: Step>(&self, step: S) -> Result<S::Output> {
        let _alone = self.alone(S::NAME)?;
        let params = write(S::NAME, &step)?;
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        let known = self.lock().journal.get(seq).cloned();
        let row = match known {
            Some(row) => self.same(row, S::NAME, &params).await,
            None => self.begin(seq, S::NAME, params).await?,
        };
        match row.state {
            TaskStep::Done => match read::<S::Output>(S::NAME, row.output.as_deref().unwrap_or(&Value::Null)) {
                Ok(output) => Ok(output),
                Err(error) => self.stop(Stop::Stuck(error)).await,
            },
            TaskStep::Failed | TaskStep::Undone => Err(row
                .error
                .map_or_else(|| Error::broken(format!("step {} was undone", S::NAME)), |json| json.0)),
            TaskStep::Started => attempt::run(self, row, step).await,
        }
    }

    /// One line for people. It is kept when the write succeeds, and lost without harm when not.
    pub async fn progress(&self, text: impl Into<String>) {
        let text = text.into();
        let replaying = self.next.load(Ordering::Relaxed) < self.lock().journal.len();
        if replaying || self.lock().text.as_ref() == Some(&text) {
            return;
        }
        self.lock().text = Some(text.clone());
        if let Err(error) = journal::progress(&self.shared.store, &self.hand, &text).await {
            tracing::debug!(task = %self.id(), error = error.chain(), "progress was not kept");
        }
    }

    /// The first run of a step: a safe point, then its row.
    async fn begin(&self, seq: usize, name: &'static str, params: Value) -> Result<step::Model> {
        if !self.steps.contains(&name) {
            return Err(Error::broken(format!(
                "step {name} is missing in steps() of {}: it could not be undone",
                self.hand.row.kind
            )));
        }
        if self.hand.cancel.is_cancelled() {
            self.stop::<()>(Stop::Cancel).await;
        }
        if self.hand.is_overdue() {
            self.stop::<()>(Stop::Overdue).await;
        }
        if self.hand.drain.is_cancelled() {
            self.stop::<()>(Stop::HandOver).await;
        }
        let row = journal::row(self.hand.id, seq, name, params);
        match self.shared.writer.begin(&self.hand, &row).await {
            Ok(()) => {}
            Err(error) if error.kind == Kind::Cancelled => {
                self.hand.cancel.cancel();
                return self.stop(Stop::Cancel).await;
            }
            Err(error) => return self.unwritten(&error).await,
        }
        self.lock().journal.push(row.clone());
        Ok(row)
    }

    /// The journal's row, if it is the row this call would have written.
    async fn same(&self, row: step::Model, name: &str, params: &Value) -> step::Model {
        if row.name == name && row.params.0 == *params {
            return row;
        }
        let error = if row.name == name {
            format!(
                "step {} ({name}) was written with other parameters than this version gives it",
                row.seq
            )
        } else {
            format!(
                "step {} is {} in the journal and {name} in this version",
                row.seq, row.name
            )
        };
        self.stop(Stop::Stuck(Error::broken(error).code(MISFIT))).await
    }

    /// The journal could not be written: nothing is known to have failed, so nothing fails.
    pub(crate) async fn unwritten<T>(&self, error: &Error) -> T {
        self.stop(journal::unwritten(&self.hand, error)).await
    }

    /// Ends this run; the engine drops it at this await.
    pub(crate) async fn stop<T>(&self, why: Stop) -> T {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.stopped.notify_one();
        std::future::pending().await
    }

    /// Resolves when the run ended itself.
    pub(crate) async fn stopped(&self) -> Stop {
        self.stopped.notified().await;
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).take();
        why.unwrap_or(Stop::Lost)
    }

    pub(crate) fn keep(&self, row: step::Model) {
        let mut progress = self.lock();
        let slot = progress.journal.iter_mut().find(|known| known.seq == row.seq);
        if let Some(slot) = slot {
            *slot = row;
        }
    }

    /// How many steps the run came to.
    pub(crate) fn taken(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    /// Whether the journal has steps that the run did not come to.
    pub(crate) fn has_untaken_steps(&self) -> bool {
        self.taken() < self.lock().journal.len()
    }

    /// Whether a step gave up and the workflow went on.
    pub(crate) fn has_failed_steps(&self) -> bool {
        self.lock().journal.iter().any(|row| row.state == TaskStep::Failed)
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alone(&self, name: &str) -> Result<Alone<'_>> {
        if self.in_step.swap(true, Ordering::AcqRel) {
            return Err(Error::broken(format!(
                "step {name} began while another step of the task was running: a journal has one order"
            )));
        }
        Ok(Alone(&self.in_step))
    }
}

struct Alone<'a>(&'a AtomicBool);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
