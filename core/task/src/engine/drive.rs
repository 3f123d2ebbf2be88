//! One claim of one task, from the claim to its end or to the reason why it waits.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use sea_orm::{EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use tracing::Instrument;
use types::{
    Error, Kind, Result,
    states::{Task, TaskStep},
};

use super::{Hand, Shared, attempt::text_of, finish, journal, undo};
use crate::{Outcome, QUEUE, TaskCx, children, cx::Stop, registry::AnyWorkflow, row::task, workflow::MISFIT};

/// Works on the task until it is over or must wait, then gives it back.
pub(crate) async fn drive(shared: &Arc<Shared>, hand: Arc<Hand>) {
    let row = &hand.row;
    let span = tracing::info_span!("task", id = %hand.id, kind = row.kind, request_id = row.request_id);
    let whole = async {
        let stop = tokio::select! {
            biased;
            () = hand.lost.cancelled() => Err(Stop::Lost),
            stop = work(shared, &hand) => stop,
        };
        if let Err(stop) = stop
            && let Err(error) = give_back(shared, &hand, stop).await
        {
            tracing::warn!(
                error = error.chain(),
                "the task could not be given back; its lease runs out"
            );
        }
    };
    whole.instrument(span).await;
}

async fn work(shared: &Arc<Shared>, hand: &Arc<Hand>) -> Result<(), Stop> {
    let Some(workflow) = shared.registry.get(&hand.row.kind) else {
        let error = Error::broken(format!("this version knows no workflow {}", hand.row.kind));
        return Err(Stop::Stuck(error.code(MISFIT)));
    };
    if hand.row.abandoned {
        return finish::abandon(shared, hand).await;
    }
    let error = match (hand.row.state, &hand.row.error) {
        (Task::Undoing, Some(error)) => error.0.clone(),
        _ => match forward(shared, hand, workflow).await? {
            None => return Ok(()),
            Some(error) => turn(shared, hand, error).await?,
        },
    };
    if children::may_have(workflow) {
        children::stop(shared, hand).await?;
    }
    undo::all(shared, hand, workflow, |_| true).await?;
    let outcome = match error.kind {
        Kind::Cancelled => Outcome::Cancelled(error),
        _ => Outcome::Failed(error),
    };
    match finish::end(shared, hand, outcome).await? {
        None => Ok(()),
        Some(error) => Err(Stop::Stuck(error.wrap("the end of the task could not be recorded"))),
    }
}

/// Runs the function. None when the task is over; else why it must be undone.
async fn forward(shared: &Arc<Shared>, hand: &Arc<Hand>, workflow: &dyn AnyWorkflow) -> Result<Option<Error>, Stop> {
    let rows = match hand.row.fence {
        // Nobody had it before.
        1 => Vec::new(),
        _ => journal::read(&shared.store, hand.id)
            .await
            .map_err(|error| journal::unwritten(hand, &error))?,
    };
    let names = workflow.steps().iter().map(|kind| kind.name).collect();
    let cx = TaskCx::new(shared.clone(), hand.clone(), names, rows);
    let run = AssertUnwindSafe(workflow.run(&hand.row.params, &cx)).catch_unwind();
    let result = tokio::select! {
        biased;
        stop = cx.stopped() => match stop {
            Stop::Cancel => return Ok(Some(finish::cancelled(hand.row.cancelled_by.as_deref()))),
            Stop::Overdue => return Ok(Some(overdue(hand))),
            stop => return Err(stop),
        },
        result = run => result,
    };
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) if error.code == MISFIT => return Err(Stop::Stuck(error)),
        Ok(Err(error)) => return Ok(Some(error)),
        Err(panic) => {
            let text = format!("workflow {} panicked: {}", hand.row.kind, text_of(&*panic));
            return Ok(Some(Error::broken(text)));
        }
    }
    if cx.has_untaken_steps() {
        let text = format!(
            "the journal has steps from {} on that this version does not take",
            cx.taken()
        );
        return Err(Stop::Stuck(Error::broken(text).code(MISFIT)));
    }
    if children::may_have(workflow)
        && let Err(stop) = children::await_end(shared, hand).await
    {
        return match stop {
            Stop::Later(_) if hand.cancel.is_cancelled() => {
                Ok(Some(finish::cancelled(hand.row.cancelled_by.as_deref())))
            }
            Stop::Later(_) if hand.is_overdue() => Ok(Some(overdue(hand))),
            stop => Err(stop),
        };
    }
    if cx.has_failed_steps() {
        undo::all(shared, hand, workflow, |row| row.state == TaskStep::Failed).await?;
    }
    finish::end(shared, hand, Outcome::Succeeded).await
}

fn overdue(hand: &Hand) -> Error {
    let limit = hand.limit.map(|(_, limit)| limit).unwrap_or_default();
    let text = match limit.as_secs() {
        seconds if seconds > 0 && seconds.is_multiple_of(3600) => format!("{} h", seconds / 3600),
        _ => format!("{limit:?}"),
    };
    let text = format!(
        "it did not end within {text}, which is all that {} may take",
        hand.row.kind
    );
    Error::new(Kind::Timeout, text)
}

/// From now on the task only goes backwards.
async fn turn(shared: &Shared, hand: &Hand, error: Error) -> Result<Error, Stop> {
    let mut error = error;
    let kept = async {
        let (mut tx, row) = journal::fenced_row(&shared.store, hand).await?;
        if error.kind == Kind::Cancelled && row.cancelled_by.is_some() {
            error = finish::cancelled(row.cancelled_by.as_deref());
        }
        journal::set_error(&tx, hand, task::Column::Error, &error).await?;
        let cause = json!({ "error": &error });
        journal::become_state(&mut tx, hand, Task::Undoing, cause).await?;
        tx.commit().await
    };
    match kept.await {
        Ok(()) => Ok(error),
        Err(error) => Err(journal::unwritten(hand, &error)),
    }
}

/// Lets go of the task in the way the reason wants.
async fn give_back(shared: &Shared, hand: &Hand, stop: Stop) -> Result<()> {
    let wait = match stop {
        Stop::Lost | Stop::Cancel | Stop::Overdue => return Ok(()),
        Stop::Stuck(error) => return park_for_operator(shared, hand, &error).await,
        Stop::HandOver => Duration::ZERO,
        Stop::Later(wait) => wait,
    };
    let (mut tx, row) = journal::fenced_row(&shared.store, hand).await?;
    // What happened since this claim looked, a cancel too, must not wait for the timer.
    let wait = if row.woken { Duration::ZERO } else { hand.cut(wait) };
    journal::release(&tx, hand, wait).await?;
    if wait.is_zero() {
        tx.wake(QUEUE);
    }
    tx.commit().await
}

async fn park_for_operator(shared: &Shared, hand: &Hand, error: &Error) -> Result<()> {
    tracing::error!(error = error.chain(), "the task needs an operator");
    let mut tx = journal::fenced(&shared.store, hand).await?;
    journal::set_error(&tx, hand, task::Column::Stuck, error).await?;
    journal::become_state(&mut tx, hand, Task::NeedsOperator, json!({ "error": error })).await?;
    let update = task::Entity::update_many()
        .col_expr(task::Column::Owner, Expr::value(None::<String>))
        .col_expr(task::Column::DueAt, Expr::value(None::<i64>));
    tx.update(update.filter(journal::claimed(hand))).await?;
    tx.commit().await
}
