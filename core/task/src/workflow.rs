//! What an author writes: a workflow is an ordinary async function, a step is a small struct with `run` and `undo`.

use std::{future::Future, time::Duration};

use auth::Cx;
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use store::Tx;
use types::{Error, Result};

use crate::{StepCx, TaskCx};

/// One effect and its opposite.
///
/// - `run` is written down before it starts. After a crash it runs again with the same [`StepCx::token`], so its
///   effect must happen once per token.
/// - `undo` also runs when `run` was started and nobody knows how far it came, and it may run twice: undoing what is
///   not there succeeds. [`StepCx::output`] tells it what `run` had returned, if that is known.
pub trait Step: Serialize + DeserializeOwned + Send + Sync + 'static {
    type Output: Serialize + DeserializeOwned + Send;
    /// Stable for ever: it is in the journal.
    const NAME: &'static str;

    /// How long the whole step may take, retries and parks included; and each attempt to undo it.
    fn limit(&self) -> Duration {
        Duration::from_secs(600)
    }

    /// Whether a cancel may stop the step in the middle and undo it; else it waits for the step's end.
    fn interruptible(&self) -> bool {
        true
    }

    fn run(&self, cx: &StepCx) -> impl Future<Output = Result<Self::Output>> + Send;
    fn undo(&self, cx: &StepCx) -> impl Future<Output = Result<()>> + Send;
}

/// A durable function. What it does outside of steps must be the same each time it runs.
pub trait Workflow: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable for ever: it is in the database.
    const NAME: &'static str;

    /// How long the task may take, from its first claim on, waits and restarts included: a day, unless it is said here.
    ///
    /// Past that no step begins and none waits on: the task is undone, with an error of kind `Timeout`. A step that may
    /// not be interrupted ends first. Undoing has no limit of its own.
    fn limit(&self) -> Duration {
        Duration::from_secs(24 * 3600)
    }

    fn run(&self, cx: &TaskCx) -> impl Future<Output = Result<()>> + Send;

    /// Row changes that belong to the task's end; the same transaction as the task's final state.
    ///
    /// A permanent error after success undoes the task; one after undoing needs an operator.
    fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> impl Future<Output = Result<()>> + Send;

    /// Every step `run` may use: `task::steps![ClaimHost, MakeVolume]`. Undoing works from this and the journal.
    fn steps() -> Vec<StepKind>;
}

/// No step and no wait is longer.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    Failed(Error),
    Cancelled(Error),
}

impl Outcome {
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Succeeded => None,
            Self::Failed(error) | Self::Cancelled(error) => Some(error),
        }
    }
}

type Undo = for<'a> fn(&'a Value, &'a StepCx) -> BoxFuture<'a, Result<()>>;

/// A step's type as a value: what is needed to undo it from its journal row.
#[derive(Clone, Copy)]
pub struct StepKind {
    pub name: &'static str,
    pub(crate) undo: Undo,
    pub(crate) limit: fn(&Value) -> Result<Duration>,
}

impl StepKind {
    pub fn of<S: Step>() -> Self {
        Self {
            name: S::NAME,
            undo: |params, cx| Box::pin(async move { read::<S>(S::NAME, params)?.undo(cx).await }),
            limit: |params| read::<S>(S::NAME, params).map(|step| step.limit()),
        }
    }
}

/// The kinds of these steps.
#[macro_export]
macro_rules! steps {
    ($($step:ty),* $(,)?) => { vec![$($crate::StepKind::of::<$step>()),*] };
}

/// The code of errors that mean: this journal was written by other code.
pub(crate) const MISFIT: &str = "journal_misfit";

pub(crate) fn read<T: DeserializeOwned>(what: &str, json: &Value) -> Result<T> {
    T::deserialize(json).map_err(|e| {
        Error::broken(format!(
            "the journal's `{what}` has another shape than this version knows"
        ))
        .code(MISFIT)
        .because(e)
    })
}

pub(crate) fn write<T: Serialize>(what: &str, value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::broken(format!("`{what}` cannot be written as JSON")).because(e))
}
