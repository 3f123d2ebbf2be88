//! The end of a task: the workflow's row changes, the final state, the holds and the event, in one transaction.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use store::Tx;
use types::{Error, Result, Timestamp, states::Task};

use super::{Hand, Shared, attempt::text_of, journal, meter};
use crate::{
    Outcome, QUEUE,
    cx::Stop,
    registry::AnyWorkflow,
    row::{hold, task},
};

/// Ends the task; or returns the permanent error that [`crate::Workflow::finish`] gave.
pub(super) async fn end(
    shared: &Shared,
    hand: &Hand,
    workflow: &dyn AnyWorkflow,
    outcome: &Outcome,
) -> Result<Option<Error>, Stop> {
    let unwritten = |error: Error| journal::unwritten(hand, &error);
    let mut tx = journal::fenced(&shared.store, hand).await.map_err(unwritten)?;
    let work = AssertUnwindSafe(workflow.finish(&hand.row.params, &hand.cx, &mut tx, outcome)).catch_unwind();
    let result = work
        .await
        .unwrap_or_else(|panic| Err(Error::broken(format!("finish panicked: {}", text_of(&*panic)))));
    match result {
        Ok(()) => {}
        Err(error) if error.is_temporary() || error.code == journal::FENCED => return Err(unwritten(error)),
        Err(error) => return Ok(Some(error)),
    }
    close(tx, hand, outcome).await.map_err(unwritten)?;
    Ok(None)
}

/// A person gave it up: `finish` gets one try, and the task ends without it if need be.
pub(super) async fn abandon(shared: &Shared, hand: &Hand, workflow: &dyn AnyWorkflow) -> Result<(), Stop> {
    let known = hand.row.stuck.as_ref().or(hand.row.error.as_ref());
    let error = known.map_or_else(|| Error::broken("it was abandoned"), |json| json.0.clone());
    let outcome = Outcome::Failed(error.wrap("it was abandoned by an operator"));
    let Some(error) = end(shared, hand, workflow, &outcome).await? else {
        return Ok(());
    };
    tracing::error!(error = error.chain(), "an abandoned task ends without its row changes");
    let unwritten = |error: Error| journal::unwritten(hand, &error);
    let tx = journal::fenced(&shared.store, hand).await.map_err(unwritten)?;
    close(tx, hand, &outcome).await.map_err(unwritten)
}

async fn close(mut tx: Tx, hand: &Hand, outcome: &Outcome) -> Result<()> {
    let state = match outcome {
        Outcome::Succeeded => Task::Succeeded,
        Outcome::Failed(_) => Task::Failed,
        Outcome::Cancelled(_) => Task::Cancelled,
    };
    if let Some(error) = outcome.error() {
        journal::set_error(&tx, hand, task::Column::Error, error).await?;
    }
    let data = outcome
        .error()
        .map_or_else(|| json!({}), |error| json!({ "error": error }));
    journal::become_state(&mut tx, hand, state, data).await?;
    let holds = hold::Entity::delete_many().filter(hold::Column::TaskId.eq(hand.id));
    tx.delete(holds).await?;
    let update = task::Entity::update_many()
        .col_expr(task::Column::Owner, Expr::value(None::<String>))
        .col_expr(task::Column::DueAt, Expr::value(None::<i64>))
        .col_expr(task::Column::FinishedAt, Expr::value(Some(Timestamp::now())));
    tx.update(update.filter(journal::claimed(hand))).await?;
    if hand.row.parent.is_some() {
        tx.wake(QUEUE);
    }
    tx.commit().await?;
    meter::ended(&hand.row.kind, state);
    Ok(())
}
