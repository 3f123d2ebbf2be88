//! Where faults are put in by `task::testing`. Without a probe these points do nothing.

use futures::future::BoxFuture;
use types::Error;

use super::Shared;

/// An instant in the life of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The step is written down; its effect has not begun.
    BeforeEffect,
    /// The effect happened; the journal does not know.
    AfterEffect,
    /// The journal knows.
    AfterJournal,
    BeforeUndo,
    AfterUndo,
    AfterUndoJournal,
}

/// What happens there.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Go,
    /// The effect reports this, instead of happening or after it happened.
    Fail(Error),
    /// The process dies here.
    Crash,
}

pub(crate) trait Probe: Send + Sync {
    fn at<'a>(&'a self, point: Point, seq: i64, step: &'a str) -> BoxFuture<'a, Verdict>;
}

impl Shared {
    /// Returns the error to report, if any; never returns when the process is to die here.
    pub(crate) async fn at(&self, point: Point, seq: i64, step: &str) -> Option<Error> {
        let probe = self.probe.as_ref()?;
        match probe.at(point, seq, step).await {
            Verdict::Go => None,
            Verdict::Fail(error) => Some(error),
            Verdict::Crash => std::future::pending().await,
        }
    }
}
