//! One attempt of one step, from the journal row to what the workflow gets back.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use types::{Error, Json, Kind, Result, Timestamp, states::TaskStep};

use super::{
    Point, journal, meter,
    retry::{After, after},
};
use crate::{
    Step, StepCx, TaskCx,
    children::CHILDREN_FAILED,
    cx::{Mode, PARKED, Stop},
    row::step,
    workflow::write,
};

pub(crate) async fn run<S: Step>(task: &TaskCx, row: step::Model, step: S) -> Result<S::Output> {
    let hand = &task.hand;
    if let Some(stop) = cut_short(task, &step) {
        task.stop::<()>(stop).await;
    }
    let end = row.started_at + step.limit();
    let whole = hand.limit.filter(|_| step.interruptible());
    let deadline = whole.map_or(end, |(whole, _)| whole.min(end));
    let cancelled = if step.interruptible() {
        hand.cancel.child_token()
    } else {
        CancellationToken::new()
    };
    let cx = StepCx::new(
        task.shared.clone(),
        hand.clone(),
        row.clone(),
        Mode::Run,
        Instant::now() + deadline.since(Timestamp::now()),
        cancelled,
    );
    let begun = Instant::now();
    let result = effect(&cx, &step, &row).await;
    meter::step(S::NAME, begun.elapsed(), result.is_ok());
    match result {
        Ok(output) => {
            if !cx.committed() {
                done::<S>(task, &row, &output).await;
            }
            let spoiled = task.shared.at(Point::AfterJournal, row.seq, S::NAME).await;
            task.keep(step::Model {
                state: TaskStep::Done,
                ..row
            });
            spoiled.map_or(Ok(output), Err)
        }
        Err(error) => Err(not_done(task, row, &step, end, error).await),
    }
}

/// Why a step that may be interrupted goes no further.
fn cut_short<S: Step>(task: &TaskCx, step: &S) -> Option<Stop> {
    let hand = &task.hand;
    match step.interruptible() {
        true if hand.cancel.is_cancelled() => Some(Stop::Cancel),
        true if hand.is_overdue() => Some(Stop::Overdue),
        _ => None,
    }
}

/// The effect between its two fault points, with the deadline, and with a panic as an error.
async fn effect<S: Step>(cx: &StepCx, step: &S, row: &step::Model) -> Result<S::Output> {
    let shared = cx.shared();
    if let Some(error) = shared.at(Point::BeforeEffect, row.seq, S::NAME).await {
        return Err(error);
    }
    let output = bounded(cx.deadline(), S::NAME, step.run(cx)).await?;
    match shared.at(Point::AfterEffect, row.seq, S::NAME).await {
        Some(error) if !cx.committed() => Err(error),
        _ => Ok(output),
    }
}

/// Awaits `work` until `deadline`. A panic of a step is its permanent error, not the end of the worker.
pub(crate) async fn bounded<T>(
    deadline: Instant,
    name: &str,
    work: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    let caught = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout_at(deadline.into(), caught).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Error::broken(format!("step {name} panicked: {}", text_of(&*panic)))),
        Err(_) => Err(Error::new(
            Kind::Timeout,
            format!("step {name} did not end before its deadline"),
        )),
    }
}

pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

async fn done<S: Step>(task: &TaskCx, row: &step::Model, output: &S::Output) {
    let kept = async {
        let output = write(S::NAME, output)?;
        task.shared.writer.done(&task.hand, row, &output).await
    };
    if let Err(error) = kept.await {
        task.unwritten::<()>(&error).await;
    }
}

/// Ends the run with a timer, or writes the failure down and returns it.
async fn not_done<S: Step>(task: &TaskCx, row: step::Model, step: &S, end: Timestamp, error: Error) -> Error {
    if error.code == journal::FENCED {
        return task.stop(Stop::Lost).await;
    }
    if let Some(stop) = cut_short(task, step) {
        return task.stop(stop).await;
    }
    let now = Timestamp::now();
    if error.code == PARKED && now < end {
        let wait = error.retry_after.unwrap_or_default().min(end.since(now));
        return task.stop(Stop::Later(wait)).await;
    }
    let error = if error.code == PARKED {
        Error::new(
            Kind::Timeout,
            format!("step {} did not end before its deadline", S::NAME),
        )
    } else {
        error
    };
    // A child's error may be of a kind that passes; the child has already given it up.
    if error.code == CHILDREN_FAILED {
        return gave_up(task, row, error).await;
    }
    match after(&task.shared.settings, error.clone(), row.attempts, end, now) {
        After::Retry(wait) => again(task, row, &error, wait).await,
        After::GiveUp(error) => gave_up(task, row, error).await,
    }
}

async fn again(task: &TaskCx, mut row: step::Model, error: &Error, wait: Duration) -> Error {
    meter::retried(&row.name);
    tracing::info!(task = %task.id(), step = row.name, error = error.chain(), ?wait, "the step is tried again");
    row.attempts += 1;
    let kept = async {
        let tx = journal::fenced(&task.shared.store, &task.hand).await?;
        journal::tried(&tx, &row, error).await?;
        journal::changed(tx).await
    };
    if let Err(error) = kept.await {
        return task.unwritten(&error).await;
    }
    task.stop(Stop::Later(wait)).await
}

async fn gave_up(task: &TaskCx, row: step::Model, error: Error) -> Error {
    let kept = async {
        let tx = journal::fenced(&task.shared.store, &task.hand).await?;
        journal::failed(&tx, &row, &error).await?;
        journal::changed(tx).await
    };
    if let Err(error) = kept.await {
        return task.unwritten(&error).await;
    }
    task.keep(step::Model {
        state: TaskStep::Failed,
        error: Some(Json(error.clone())),
        ..row
    });
    error
}
