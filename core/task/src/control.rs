//! What people may do to a task: cancel it; when it needs an operator, let it try again or give it up.

use auth::Cx;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde_json::{Value, json};
use store::{Event, Store, Tx};
use types::{Error, Json, Result, TaskId, Timestamp, states::Task};

use crate::{
    CANCELS, CHANNEL, QUEUE, Registry, children,
    engine::finish,
    row::{record, task},
};

/// Stops the task at the next safe point; what it did is undone. Asking twice is asking once.
///
/// One that nobody took yet and that has no children ends here, without a worker.
///
/// Errors: `Conflict` when it is over, or waits for an operator.
pub async fn cancel(cx: &Cx, store: &Store, registry: &Registry, id: TaskId) -> Result<()> {
    cancel_by(cx, store, registry, id, &cx.who().user_name).await
}

/// Like [`cancel`]; `by` is whom the task's error names.
pub(crate) async fn cancel_by(cx: &Cx, store: &Store, registry: &Registry, id: TaskId, by: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    let row = locked(&tx, id).await?;
    match row.state {
        Task::NeedsOperator => {
            return Err(wrong(row.id, row.state, "needs an operator: retry or abandon it"));
        }
        Task::Undoing => return Ok(()),
        state if state.is_over() => return Err(wrong(row.id, row.state, "is over").code("task_over")),
        _ if row.cancel_requested => return Ok(()),
        _ => {}
    }
    note(cx, &mut tx, &row, "task.cancel_requested", Value::Null).await?;
    if row.state == Task::Queued
        && let Some(workflow) = registry.get(&row.kind)
        && !children::any_open(&tx, id).await?
    {
        match finish::unbegun(&mut tx, workflow, &row, by).await {
            Ok(()) => return tx.commit().await,
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) => tracing::warn!(task = %id, error = error.chain(), "a worker must end the cancelled task"),
        }
        drop(tx);
        tx = store.begin().await?;
        note(cx, &mut tx, &row, "task.cancel_requested", Value::Null).await?;
    }
    request(&mut tx, id, by).await?;
    tx.commit().await
}

async fn request(tx: &mut Tx, id: TaskId, by: &str) -> Result<()> {
    let update = task::Entity::update_many()
        .col_expr(task::Column::CancelRequested, Expr::value(true))
        .col_expr(task::Column::CancelledBy, Expr::value(by));
    tx.update(update.filter(task::Column::Id.eq(id))).await?;
    wake(tx, id).await?;
    tx.wake(CANCELS);
    Ok(())
}

/// Lets a task that needs an operator go on where it stopped: undoing, or running if it had not failed.
pub async fn retry(cx: &Cx, store: &Store, id: TaskId, reason: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    let row = stopped(&tx, id).await?;
    let next = if row.error.is_some() {
        Task::Undoing
    } else {
        Task::Running
    };
    let update = task::Entity::update_many()
        .col_expr(task::Column::State, Expr::value(row.state.to(next)?))
        .col_expr(task::Column::Stuck, Expr::value(None::<Json<Error>>))
        .col_expr(task::Column::DueAt, Expr::value(Timestamp::from_micros(0)));
    tx.update(update.filter(task::Column::Id.eq(id))).await?;
    crate::engine::journal::forget_undo_attempts(&tx, id).await?;
    note(cx, &mut tx, &row, "task.retried", json!({ "reason": reason })).await?;
    tx.commit().await
}

/// Ends a task that needs an operator as failed, leaving what it could not undo. Its resource is free then.
pub async fn abandon(cx: &Cx, store: &Store, id: TaskId, reason: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    let row = stopped(&tx, id).await?;
    let update = task::Entity::update_many()
        .col_expr(task::Column::Abandoned, Expr::value(true))
        .col_expr(task::Column::DueAt, Expr::value(Timestamp::from_micros(0)));
    tx.update(update.filter(task::Column::Id.eq(id))).await?;
    note(cx, &mut tx, &row, "task.abandoned", json!({ "reason": reason })).await?;
    tx.commit().await
}

/// Lets a parked task look again after the commit: what it waits for may have happened. One that a worker has just now
/// looks again before it parks.
pub async fn wake(tx: &mut Tx, id: TaskId) -> Result<()> {
    let due = "CASE WHEN owner IS NULL AND due_at IS NOT NULL THEN 0 ELSE due_at END";
    let update = task::Entity::update_many()
        .col_expr(task::Column::Woken, Expr::value(true))
        .col_expr(task::Column::DueAt, Expr::cust(due))
        .filter(task::Column::Id.eq(id))
        .filter(task::Column::FinishedAt.is_null());
    tx.update(update).await?;
    tx.wake(QUEUE);
    Ok(())
}

/// The task, still at hand. `Conflict` when it is over so long that it is history.
async fn locked(tx: &Tx, id: TaskId) -> Result<task::Model> {
    if let Some(row) = tx.lock(task::Entity::find_by_id(id)).await? {
        return Ok(row);
    }
    match tx.one(record::Entity::find_by_id(id)).await? {
        Some(row) => Err(wrong(row.id, row.state, "is over").code("task_over")),
        None => Err(Error::not_found("task", id)),
    }
}

async fn stopped(tx: &Tx, id: TaskId) -> Result<task::Model> {
    let row = locked(tx, id).await?;
    if row.state != Task::NeedsOperator {
        return Err(wrong(row.id, row.state, "does not need an operator"));
    }
    Ok(row)
}

fn wrong(id: TaskId, state: Task, what: &str) -> Error {
    Error::conflict(format!("{id} is {state} and {what}"))
        .code("wrong_state")
        .on("task", id)
}

async fn note(cx: &Cx, tx: &mut Tx, row: &task::Model, kind: &str, data: Value) -> Result<()> {
    tx.event(
        cx,
        Event {
            kind: kind.to_owned(),
            id: row.id.to_string(),
            name: row.resource_name.clone(),
            owner: row.project_id.clone().zip(row.domain_id.clone()),
            data,
        },
    )
    .await?;
    tx.wake(QUEUE);
    tx.wake(CHANNEL);
    Ok(())
}
