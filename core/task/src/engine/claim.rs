//! Taking tasks from the queue: those that were begun before those that wait, oldest first, in one transaction.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};
use serde_json::json;
use std::time::Duration;
use store::Tx;
use types::{Error, Result, TaskId, Timestamp, states::Task};

use super::{Shared, journal, meter};
use crate::{CHANNEL, pause, row::task};

/// What a look at the queue gave.
pub(super) enum Found {
    /// Now ours.
    Tasks(Vec<task::Model>),
    /// Nothing for so long: until a timer or a lease ends, if any does.
    Nothing(Option<Duration>),
}

/// Up to `most` tasks. An idle engine writes nothing.
pub(super) async fn some(shared: &Shared, most: u64) -> Result<Found> {
    let mut tx = shared.store.begin().await?;
    tx.plan_in_order().await?;
    let now = journal::from_now(tx.is_postgres(), Duration::ZERO);
    let due = Expr::col(task::Column::DueAt).lte(now);
    let mut rows = tx.claim(begun(shared).filter(due).limit(most)).await?;
    let room = most - rows.len() as u64;
    if room > 0 {
        rows.extend(tx.claim(fresh(shared).limit(room)).await?);
    }
    if rows.is_empty() {
        let next = tx.one(begun(shared).limit(1)).await?;
        return Ok(Found::Nothing(
            next.and_then(|row| row.due_at).map(|due| due.since(Timestamp::now())),
        ));
    }
    take(shared, &mut tx, &mut rows).await?;
    tx.commit().await?;
    Ok(Found::Tasks(rows))
}

/// This task, now ours, whoever had it and whatever it waits for.
pub(crate) async fn by_force(shared: &Shared, id: TaskId) -> Result<task::Model> {
    let mut tx = shared.store.begin().await?;
    let row = tx.lock(task::Entity::find_by_id(id)).await?;
    let mut rows = vec![row.ok_or_else(|| Error::not_found("task", id))?];
    take(shared, &mut tx, &mut rows).await?;
    tx.commit().await?;
    rows.pop().ok_or_else(|| Error::not_found("task", id))
}

/// Written as text, because only then the database can tell that the small index will do.
fn begun(shared: &Shared) -> Select<task::Entity> {
    ours(shared, Expr::cust("due_at IS NOT NULL AND state <> 'queued'")).order_by_asc(task::Column::DueAt)
}

fn fresh(shared: &Shared) -> Select<task::Entity> {
    ours(shared, Expr::cust("state = 'queued'"))
        .filter(pause::open())
        .order_by_asc(task::Column::Id)
}

fn ours(shared: &Shared, which: SimpleExpr) -> Select<task::Entity> {
    task::Entity::find()
        .filter(which)
        .filter(task::Column::Kind.is_in(shared.registry.names()))
}

async fn take(shared: &Shared, tx: &mut Tx, rows: &mut [task::Model]) -> Result<()> {
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let now = Timestamp::now();
    let update = task::Entity::update_many()
        .col_expr(task::Column::Owner, Expr::value(shared.owner.as_str()))
        .col_expr(task::Column::State, begins("'running'", "state"))
        .col_expr(
            task::Column::StartedAt,
            begins(&now.as_micros().to_string(), "started_at"),
        )
        .col_expr(task::Column::Woken, Expr::value(false))
        .col_expr(task::Column::Fence, Expr::col(task::Column::Fence).add(1))
        .col_expr(
            task::Column::DueAt,
            journal::from_now(tx.is_postgres(), shared.settings.lease),
        );
    tx.update(update.filter(task::Column::Id.is_in(ids))).await?;
    let mut begun = Vec::new();
    for row in rows {
        row.fence += 1;
        if row.owner.replace(shared.owner.clone()).is_some() {
            tracing::warn!(task = %row.id, "taken over from a worker that went away");
            meter::taken_over();
        }
        if row.state == Task::Queued {
            row.state = Task::Running;
            row.started_at = Some(now);
            let cx = auth::Cx::new(row.who.0.clone(), shared.policy.clone(), &row.request_id);
            begun.push((cx, journal::event(row, Task::Running, json!({}))));
        }
    }
    if begun.is_empty() {
        return Ok(());
    }
    tx.wake(CHANNEL);
    let (who, events): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
    tx.events(who.iter().zip(events)).await
}

/// `then` for a task that nobody had before.
fn begins(then: &str, otherwise: &str) -> SimpleExpr {
    Expr::cust(format!("CASE WHEN state = 'queued' THEN {then} ELSE {otherwise} END"))
}
