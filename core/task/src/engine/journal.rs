//! What the engine writes. Every transaction begins with the fence: a worker that lost its task changes nothing.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, UpdateMany,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use serde_json::{Value, json};
use store::{Event, Store, Tx};
use types::{
    Error, Json, Kind, Result, TaskId, Timestamp,
    states::{Task, TaskStep},
};

use super::Hand;
use crate::{
    CHANNEL,
    cx::Stop,
    row::{step, task},
};

/// The code of the error of a worker that lost its task.
pub(crate) const FENCED: &str = "fenced";

/// A transaction in which nobody else can claim the task. `Conflict`, code `fenced`, when somebody did before.
pub(crate) async fn fenced(store: &Store, hand: &Hand) -> Result<Tx> {
    fenced_row(store, hand).await.map(|(tx, _)| tx)
}

/// Like [`fenced`], with the task as it is now.
pub(crate) async fn fenced_row(store: &Store, hand: &Hand) -> Result<(Tx, task::Model)> {
    let tx = store.begin().await?;
    let mine = tx.lock(task::Entity::find().filter(claimed(hand))).await?;
    Ok((tx, mine.ok_or_else(|| lost(hand.id))?))
}

pub(crate) fn lost(task: TaskId) -> Error {
    let error = Error::conflict(format!("{task} belongs to another worker now"));
    error.code(FENCED).on("task", task)
}

/// Somebody wants the task undone: no step begins any more.
pub(crate) fn cancelled(task: TaskId) -> Error {
    Error::new(Kind::Cancelled, format!("{task} is cancelled")).on("task", task)
}

/// A row that is not as it was read means that a commit went through whose answer was lost.
pub(crate) fn changed_meanwhile(step: &str) -> Error {
    Error::unavailable(format!("step {step} changed meanwhile: it is read again"))
}

pub(crate) fn claimed(hand: &Hand) -> SimpleExpr {
    task::Column::Id
        .eq(hand.id)
        .and(task::Column::Fence.eq(hand.fence))
        .and(task::Column::Owner.eq(hand.owner.as_str()))
}

/// What to do when a journal write failed: nothing that needs the database, and never a failed task.
pub(crate) fn unwritten(hand: &Hand, error: &Error) -> Stop {
    if error.code == FENCED {
        tracing::info!(task = %hand.id, "another worker took the task");
        return Stop::Lost;
    }
    tracing::warn!(task = %hand.id, error = error.chain(), "the journal could not be written; it is tried again later");
    Stop::Later(Duration::from_secs(1))
}

pub(crate) async fn read(store: &Store, id: TaskId) -> Result<Vec<step::Model>> {
    let all = step::Entity::find().filter(step::Column::TaskId.eq(id));
    store.all(all.order_by_asc(step::Column::Seq)).await
}

/// A step that begins.
pub(crate) fn row(task: TaskId, seq: usize, name: &str, params: Value) -> step::Model {
    step::Model {
        task_id: task,
        seq: i64::try_from(seq).unwrap_or(i64::MAX),
        name: name.to_owned(),
        params: Json(params),
        token: format!("{task}-{seq}"),
        state: TaskStep::Started,
        output: None,
        error: None,
        attempts: 0,
        undo_attempts: 0,
        started_at: Timestamp::now(),
        finished_at: None,
    }
}

/// Marks a started step as done in the step's own transaction.
pub(crate) async fn done(tx: &Tx, row: &step::Model, output: Value) -> Result<()> {
    let update = ended(TaskStep::Done)
        .col_expr(step::Column::Output, Expr::value(Some(Json(output))))
        .col_expr(step::Column::Error, Expr::value(None::<Json<Error>>))
        .filter(step::Column::State.eq(TaskStep::Started));
    once(tx, row, update).await
}

/// Marks a started step as given up.
pub(crate) async fn failed(tx: &Tx, row: &step::Model, error: &Error) -> Result<()> {
    let update = ended(TaskStep::Failed)
        .col_expr(step::Column::Attempts, Expr::value(row.attempts + 1))
        .col_expr(step::Column::Error, Expr::value(Some(Json(error.clone()))))
        .filter(step::Column::State.eq(TaskStep::Started));
    once(tx, row, update).await
}

pub(crate) async fn undone(tx: &Tx, row: &step::Model) -> Result<()> {
    let update = ended(TaskStep::Undone).filter(step::Column::State.ne(TaskStep::Undone));
    once(tx, row, update).await
}

/// Counts an attempt that failed; the step stays as it is.
pub(crate) async fn tried(tx: &Tx, row: &step::Model, error: &Error) -> Result<()> {
    // A workflow that goes on after a failed step must get the same error when it runs again.
    let error = match (row.state, &row.error) {
        (TaskStep::Failed, Some(first)) => first.0.clone(),
        _ => error.clone(),
    };
    let update = step::Entity::update_many()
        .col_expr(step::Column::Attempts, Expr::value(row.attempts))
        .col_expr(step::Column::UndoAttempts, Expr::value(row.undo_attempts))
        .col_expr(step::Column::Error, Expr::value(Some(Json(error))))
        .filter(step::Column::State.eq(row.state));
    once(tx, row, update).await
}

fn ended(state: TaskStep) -> UpdateMany<step::Entity> {
    step::Entity::update_many()
        .col_expr(step::Column::State, Expr::value(state))
        .col_expr(step::Column::FinishedAt, Expr::value(Some(Timestamp::now())))
}

async fn once(tx: &Tx, row: &step::Model, update: UpdateMany<step::Entity>) -> Result<()> {
    let update = update
        .filter(step::Column::TaskId.eq(row.task_id))
        .filter(step::Column::Seq.eq(row.seq));
    match tx.update(update).await? {
        1 => Ok(()),
        _ => Err(changed_meanwhile(&row.name)),
    }
}

/// Frees the task; `wait` from now anybody may claim it.
pub(crate) async fn release(tx: &Tx, hand: &Hand, wait: Duration) -> Result<()> {
    let update = task::Entity::update_many()
        .col_expr(task::Column::Owner, Expr::value(None::<String>))
        .col_expr(task::Column::DueAt, from_now(tx.is_postgres(), wait));
    tx.update(update.filter(claimed(hand))).await.map(drop)
}

/// Moves the task to another state, with its event.
pub(crate) async fn become_state(tx: &mut Tx, hand: &Hand, state: Task, data: Value) -> Result<()> {
    become_with(tx, hand, state, data, task::Entity::update_many()).await
}

/// Like [`become_state`]; `update` has what else changes in the row.
pub(crate) async fn become_with(
    tx: &mut Tx,
    hand: &Hand,
    state: Task,
    data: Value,
    update: UpdateMany<task::Entity>,
) -> Result<()> {
    let from = Task::ALL.iter().copied().filter(|from| from.may_become(state));
    let update = update
        .col_expr(task::Column::State, Expr::value(state))
        .filter(task::Column::State.is_in(from));
    if tx.update(update.filter(claimed(hand))).await? != 1 {
        let text = format!("{} is in a state that cannot become {state}", hand.id);
        return Err(Error::conflict(text).code("wrong_state"));
    }
    announce(tx, &hand.row, &hand.cx, state, data).await
}

pub(crate) async fn set_error(tx: &Tx, hand: &Hand, column: task::Column, error: &Error) -> Result<()> {
    let update = task::Entity::update_many().col_expr(column, Expr::value(Some(Json(error.clone()))));
    tx.update(update.filter(claimed(hand))).await.map(drop)
}

pub(crate) async fn announce(tx: &mut Tx, row: &task::Model, cx: &auth::Cx, state: Task, data: Value) -> Result<()> {
    tx.event(cx, event(row, state, data)).await?;
    tx.wake(CHANNEL);
    Ok(())
}

/// What others hear of a task's new state.
pub(crate) fn event(row: &task::Model, state: Task, data: Value) -> Event {
    let mut facts = json!({
        "kind": row.kind,
        "resource": format!("{}/{}", row.resource_noun, row.resource_id),
    });
    if let (Value::Object(facts), Value::Object(data)) = (&mut facts, data) {
        facts.extend(data);
    }
    Event {
        kind: format!("task.{state}"),
        id: row.id.to_string(),
        name: row.resource_name.clone(),
        owner: row.project_id.clone().zip(row.domain_id.clone()),
        data: facts,
    }
}

/// Commits, and tells those who watch the task.
pub(crate) async fn changed(mut tx: Tx) -> Result<()> {
    tx.wake(CHANNEL);
    tx.commit().await
}

pub(crate) async fn progress(store: &Store, hand: &Hand, text: &str) -> Result<()> {
    let tx = fenced(store, hand).await?;
    let update = task::Entity::update_many().col_expr(task::Column::Progress, Expr::value(text));
    tx.update(update.filter(claimed(hand))).await?;
    changed(tx).await
}

/// A person repaired something: undoing gets all its attempts again.
pub(crate) async fn forget_undo_attempts(tx: &Tx, id: TaskId) -> Result<()> {
    let update = step::Entity::update_many()
        .col_expr(step::Column::UndoAttempts, Expr::value(0i64))
        .filter(step::Column::TaskId.eq(id));
    tx.update(update).await.map(drop)
}

/// The database's clock is everybody's clock; with SQLite it is this machine's. The time at which the statement began:
/// one that moved on while it runs could not be looked up in an index, and a claim would read every task that waits.
pub(crate) fn from_now(postgres: bool, wait: Duration) -> SimpleExpr {
    if !postgres {
        return Expr::value(Timestamp::now() + wait);
    }
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 4);
    Expr::cust(format!(
        "((extract(epoch from statement_timestamp()) * 1000000)::bigint + {micros})"
    ))
}
