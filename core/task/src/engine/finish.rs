//! The end of a task: the workflow's row changes, the final state, the holds and the event, in one transaction.

use std::{panic::AssertUnwindSafe, sync::Arc};

use auth::Cx;
use futures::FutureExt;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, UpdateMany, sea_query::Expr};
use serde_json::json;
use store::Tx;
use types::{Error, Json, Kind, Result, Timestamp, states::Task};

use super::{Hand, Shared, attempt::text_of, journal, meter};
use crate::{
    Outcome, children,
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

/// A task that nobody took: cancelled in the caller's transaction, which has locked its row.
pub(crate) async fn unbegun(tx: &mut Tx, workflow: &dyn AnyWorkflow, row: &task::Model, by: &str) -> Result<()> {
    let cx = Cx::new(row.who.0.clone(), Arc::default(), &row.request_id);
    let error = cancelled(Some(by));
    let outcome = Outcome::Cancelled(error.clone());
    workflow.finish(&row.params, &cx, tx, &outcome).await?;
    let update = over(Some(&error))
        .col_expr(task::Column::State, Expr::value(row.state.to(Task::Cancelled)?))
        .col_expr(task::Column::CancelRequested, Expr::value(true))
        .col_expr(task::Column::CancelledBy, Expr::value(by));
    tx.update(update.filter(task::Column::Id.eq(row.id))).await?;
    journal::announce(tx, row, &cx, Task::Cancelled, json!({ "error": error })).await?;
    let_go(tx, row, Task::Cancelled).await?;
    meter::ended(&row.kind, Task::Cancelled);
    Ok(())
}

/// Why a cancelled task is undone.
pub(super) fn cancelled(by: Option<&str>) -> Error {
    let text = by.map_or_else(
        || "it was cancelled".to_owned(),
        |by| format!("it was cancelled by {by}"),
    );
    Error::new(Kind::Cancelled, text)
}

async fn close(mut tx: Tx, hand: &Hand, outcome: &Outcome) -> Result<()> {
    let state = match outcome {
        Outcome::Succeeded => Task::Succeeded,
        Outcome::Failed(_) => Task::Failed,
        Outcome::Cancelled(_) => Task::Cancelled,
    };
    let data = outcome
        .error()
        .map_or_else(|| json!({}), |error| json!({ "error": error }));
    journal::become_with(&mut tx, hand, state, data, over(outcome.error())).await?;
    let_go(&mut tx, &hand.row, state).await?;
    tx.commit().await?;
    meter::ended(&hand.row.kind, state);
    Ok(())
}

/// Nobody has it any more.
fn over(error: Option<&Error>) -> UpdateMany<task::Entity> {
    task::Entity::update_many()
        .col_expr(task::Column::Error, Expr::value(error.cloned().map(Json)))
        .col_expr(task::Column::Owner, Expr::value(None::<String>))
        .col_expr(task::Column::DueAt, Expr::value(None::<i64>))
        .col_expr(task::Column::FinishedAt, Expr::value(Some(Timestamp::now())))
}

/// It holds nothing any more, and its parent may have waited for that.
async fn let_go(tx: &mut Tx, row: &task::Model, state: Task) -> Result<()> {
    let holds = hold::Entity::delete_many().filter(hold::Column::TaskId.eq(row.id));
    tx.delete(holds).await?;
    match row.parent {
        Some(parent) => children::ended(tx, parent, state).await,
        None => Ok(()),
    }
}
