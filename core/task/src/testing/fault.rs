//! The faults, one per run, and the probe that brings them about.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use futures::future::BoxFuture;
use tokio::sync::Notify;
use types::{Error, TaskId};

use crate::{
    control,
    engine::{Point, Probe, Shared, Verdict, claim},
};

/// What goes wrong in a run. Steps count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The step reports a permanent error at this point.
    Fail(i64, Point),
    /// The step reports a temporary error at this point, once.
    Hiccup(i64, Point),
    /// The process dies at this point, once.
    Crash(i64, Point),
    /// Another worker claims the task at this point; this one does not know and goes on.
    Lose(i64, Point),
    /// Somebody cancels the task while the step runs.
    Cancel(i64),
    /// The workflow fails after its last step, and the process dies at this point of undoing this step.
    CrashUndoing {
        last: i64,
        step: i64,
        at: Point,
    },
    /// The workflow fails after its last step, and undoing this step fails once.
    HiccupUndoing {
        last: i64,
        step: i64,
        at: Point,
    },
    /// The workflow fails after its last step, and undoing this step fails until an operator lets it try again.
    Stuck {
        last: i64,
        step: i64,
    },
}

/// Every fault of a workflow with so many steps.
pub(super) fn all(steps: usize) -> Vec<Fault> {
    use Point::{AfterEffect, AfterJournal, AfterUndo, AfterUndoJournal, BeforeEffect, BeforeUndo};
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    let last = steps - 1;
    let mut faults = Vec::new();
    for step in 0..steps {
        for at in [BeforeEffect, AfterEffect] {
            faults.extend([Fault::Fail(step, at), Fault::Hiccup(step, at), Fault::Lose(step, at)]);
        }
        faults.extend([BeforeEffect, AfterEffect, AfterJournal].map(|at| Fault::Crash(step, at)));
        faults.push(Fault::Cancel(step));
        let crashes = [BeforeUndo, AfterUndo, AfterUndoJournal];
        faults.extend(crashes.map(|at| Fault::CrashUndoing { last, step, at }));
        faults.extend([BeforeUndo, AfterUndo].map(|at| Fault::HiccupUndoing { last, step, at }));
        faults.push(Fault::Stuck { last, step });
    }
    faults
}

impl Fault {
    /// Whether the task must succeed all the same.
    pub(super) fn is_harmless(self) -> bool {
        matches!(self, Self::None | Self::Hiccup(..) | Self::Crash(..) | Self::Lose(..))
    }
}

/// Brings one fault about.
pub(super) struct Saboteur {
    pub fault: Fault,
    shared: Arc<Shared>,
    task: TaskId,
    /// Faults that happen once have happened.
    spent: AtomicBool,
    /// The operator was here.
    pub repaired: AtomicBool,
    pub died: Notify,
    trouble: Mutex<Option<Error>>,
}

impl Saboteur {
    /// `shared` is another worker's, for claims behind the first one's back.
    pub fn new(fault: Fault, shared: Arc<Shared>, task: TaskId) -> Self {
        Self {
            fault,
            shared,
            task,
            spent: AtomicBool::new(false),
            repaired: AtomicBool::new(false),
            died: Notify::new(),
            trouble: Mutex::default(),
        }
    }

    pub fn task(&self) -> TaskId {
        self.task
    }

    /// What went wrong in the harness itself.
    pub fn trouble(&self) -> Option<Error> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn first_time(&self) -> bool {
        !self.spent.swap(true, Ordering::AcqRel)
    }

    fn die(&self) -> Verdict {
        self.died.notify_one();
        Verdict::Crash
    }

    fn fail(&self, step: &str) -> Verdict {
        Verdict::Fail(Error::invalid(format!("step {step} was made to fail")))
    }

    async fn behind_the_back(&self) -> Verdict {
        let done = match self.fault {
            Fault::Cancel(_) => {
                let cx = auth::Cx::service("saboteur", "testing");
                control::cancel(&cx, &self.shared.store, &self.shared.registry, self.task).await
            }
            _ => claim::by_force(&self.shared, self.task).await.map(drop),
        };
        if let Err(error) = done {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
        Verdict::Go
    }

    async fn verdict(&self, point: Point, seq: i64, step: &str) -> Verdict {
        let here = |step: i64, at: Point| step == seq && at == point;
        let hiccup = || Verdict::Fail(Error::unavailable(format!("step {step} was made to stumble")));
        match self.fault {
            Fault::Fail(s, at) if here(s, at) => self.fail(step),
            Fault::Hiccup(s, at) if here(s, at) && self.first_time() => hiccup(),
            Fault::Crash(s, at) if here(s, at) && self.first_time() => self.die(),
            Fault::Lose(s, at) if here(s, at) && self.first_time() => self.behind_the_back().await,
            Fault::Cancel(s) if here(s, Point::BeforeEffect) && self.first_time() => self.behind_the_back().await,
            Fault::CrashUndoing { step, at, .. } if here(step, at) && self.first_time() => self.die(),
            Fault::HiccupUndoing { step, at, .. } if here(step, at) && self.first_time() => hiccup(),
            Fault::Stuck { step: s, .. } if here(s, Point::BeforeUndo) && !self.repaired.load(Ordering::Acquire) => {
                self.fail(step)
            }
            Fault::CrashUndoing { last, .. } | Fault::HiccupUndoing { last, .. } | Fault::Stuck { last, .. }
                if here(last, Point::AfterJournal) =>
            {
                self.fail(step)
            }
            _ => Verdict::Go,
        }
    }
}

impl Probe for Saboteur {
    fn at<'a>(&'a self, point: Point, seq: i64, step: &'a str) -> BoxFuture<'a, Verdict> {
        Box::pin(self.verdict(point, seq, step))
    }
}
