//! The end of a task: the workflow's row changes, the final state, the holds and the event, in one transaction.

use std::sync::Arc;

use auth::Cx;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use store::Tx;
use types::{Error, Json, Kind, Result, Timestamp, states::Task};

use super::{Hand, Shared, journal, meter, writer::Ending};
use crate::{
    Outcome, children,
    cx::Stop,
    registry::AnyWorkflow,
    row::{hold, task},
};

/// Ends the task; or returns the permanent error that [`crate::Workflow::finish`] gave.
pub(super) async fn end(shared: &Shared, hand: &Arc<Hand>, outcome: Outcome) -> Result<Option<Error>, Stop> {
    write(shared, hand, outcome, true).await
}

async fn write(shared: &Shared, hand: &Arc<Hand>, outcome: Outcome, finish: bool) -> Result<Option<Error>, Stop> {
    let ending = Ending {
        hand: hand.clone(),
        outcome,
        finish,
    };
    let ended = shared.writer.end(ending).await;
    ended.map_err(|error| journal::unwritten(hand, &error))
}

/// A person gave it up: `finish` gets one try, and the task ends without it if need be.
pub(super) async fn abandon(shared: &Shared, hand: &Arc<Hand>) -> Result<(), Stop> {
    let known = hand.row.stuck.as_ref().or(hand.row.error.as_ref());
    let error = known.map_or_else(|| Error::broken("it was abandoned"), |json| json.0.clone());
    let outcome = Outcome::Failed(error.wrap("it was abandoned by an operator"));
    let Some(error) = end(shared, hand, outcome.clone()).await? else {
        return Ok(());
    };
    tracing::error!(error = error.chain(), "an abandoned task ends without its row changes");
    write(shared, hand, outcome, false).await.map(drop)
}

/// A task that nobody took: cancelled in the caller's transaction, which has locked its row.
pub(crate) async fn unbegun(tx: &mut Tx, workflow: &dyn AnyWorkflow, row: &task::Model, by: &str) -> Result<()> {
    let cx = Cx::new(row.who.0.clone(), Arc::default(), &row.request_id);
    let error = cancelled(Some(by));
    let outcome = Outcome::Cancelled(error.clone());
    workflow.finish(&row.params, &cx, tx, &outcome).await?;
    let update = task::Entity::update_many()
        .col_expr(task::Column::Error, Expr::value(Some(Json(error.clone()))))
        .col_expr(task::Column::DueAt, Expr::value(None::<i64>))
        .col_expr(task::Column::FinishedAt, Expr::value(Some(Timestamp::now())))
        .col_expr(task::Column::State, Expr::value(row.state.to(Task::Cancelled)?))
        .col_expr(task::Column::CancelRequested, Expr::value(true))
        .col_expr(task::Column::CancelledBy, Expr::value(by));
    tx.update(update.filter(task::Column::Id.eq(row.id))).await?;
    journal::announce(tx, row, &cx, Task::Cancelled, json!({ "error": error })).await?;
    let_go(tx, &[(row, Task::Cancelled)]).await?;
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

/// They hold nothing any more, and their parents may have waited for that.
pub(super) async fn let_go(tx: &mut Tx, over: &[(&task::Model, Task)]) -> Result<()> {
    let ids = over.iter().map(|(row, _)| row.id);
    tx.delete(hold::Entity::delete_many().filter(hold::Column::TaskId.is_in(ids)))
        .await?;
    for (row, state) in over {
        if let Some(parent) = row.parent {
            children::ended(tx, parent, *state).await?;
        }
    }
    Ok(())
}
