//! Tasks that are over leave the table that engines work on, and after a longer time they are forgotten.
//!
//! Who reads through [`crate::row::record`] finds a task in either place.

use std::time::Duration;

use sea_orm::{
    ColumnTrait, EntityTrait, Iterable, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, IntoIden, Query},
};
use store::{Store, Tx};
use types::{Error, Result, TaskId, Timestamp};

use crate::{
    Next, ReconcileCx, Reconciler,
    row::{record, step, step_record, task},
};

/// How many tasks one transaction moves, and how many it forgets: other writers wait no longer than that takes.
pub const BATCH: u64 = 200;

/// How long tasks that are over are kept, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// After its end a task stays among those under way for this long.
    pub at_hand: Duration,
    /// After its end a task can be read for this long; zero is for ever.
    pub readable: Duration,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            at_hand: Duration::from_secs(600),
            readable: Duration::from_secs(30 * 86_400),
        }
    }
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub moved: u64,
    pub forgotten: u64,
}

/// Moves tasks to history and forgets old ones; wants a [`Keep`] among its extensions.
pub struct History;

impl Reconciler for History {
    const NAME: &'static str = "task-history";

    fn every() -> Duration {
        Duration::from_secs(60)
    }

    async fn reconcile(&self, cx: &ReconcileCx) -> Result<Next> {
        let swept = sweep(cx.store(), *cx.get::<Keep>()).await?;
        let more = swept.moved == BATCH || swept.forgotten == BATCH;
        Ok(if more { Next::Now } else { Next::Usual })
    }
}

/// One batch of each: to history, and out of it.
///
/// A task stays as long as it holds something, or as its parent, which may read how it ended, is under way.
pub async fn sweep(store: &Store, keep: Keep) -> Result<Swept> {
    let tx = store.begin().await?;
    let ids = over(&tx, ago(keep.at_hand)).await?;
    if !ids.is_empty() {
        relocate(&tx, &ids).await?;
    }
    let forgotten = match keep.readable.is_zero() {
        true => 0,
        false => forget(&tx, ago(keep.readable)).await?,
    };
    tx.commit().await?;
    let moved = ids.len() as u64;
    if moved + forgotten > 0 {
        tracing::debug!(moved, forgotten, "tasks that are over");
    }
    Ok(Swept { moved, forgotten })
}

/// The moment so long ago.
fn ago(time: Duration) -> Timestamp {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(Timestamp::now().as_micros().saturating_sub(micros))
}

/// The first tasks that ended before `end` and that nothing needs any more. Oldest end first.
async fn over(tx: &Tx, end: Timestamp) -> Result<Vec<TaskId>> {
    let over = task::Entity::find()
        .filter(task::Column::FinishedAt.is_not_null())
        .filter(task::Column::FinishedAt.lt(end))
        .filter(Expr::cust(
            "NOT EXISTS (SELECT 1 FROM hold WHERE hold.task_id = task.id)",
        ))
        .filter(Expr::cust(
            "NOT EXISTS (SELECT 1 FROM task AS above WHERE above.id = task.parent AND above.finished_at IS NULL)",
        ))
        .order_by_asc(task::Column::FinishedAt)
        .limit(BATCH);
    Ok(tx.claim(over).await?.into_iter().map(|row| row.id).collect())
}

async fn relocate(tx: &Tx, ids: &[TaskId]) -> Result<()> {
    let tasks: Vec<_> = record::Column::iter().map(IntoIden::into_iden).collect();
    let steps: Vec<_> = step_record::Column::iter().map(IntoIden::into_iden).collect();
    let whole = Query::select()
        .columns(tasks.clone())
        .from(task::Entity)
        .and_where(Expr::col(task::Column::Id).is_in(ids.iter().copied()))
        .to_owned();
    let parts = Query::select()
        .columns(steps.clone())
        .from(step::Entity)
        .and_where(Expr::col(step::Column::TaskId).is_in(ids.iter().copied()))
        .to_owned();
    let wrong = |e| Error::broken("the statement that moves tasks to history is wrong").because(e);
    let mut insert = Query::insert();
    insert.into_table("task_history").columns(tasks);
    tx.execute(insert.select_from(whole).map_err(wrong)?).await?;
    let mut insert = Query::insert();
    insert.into_table("task_step_history").columns(steps);
    tx.execute(insert.select_from(parts).map_err(wrong)?).await?;
    let steps = step::Entity::delete_many().filter(step::Column::TaskId.is_in(ids.iter().copied()));
    tx.delete(steps).await?;
    let tasks = task::Entity::delete_many().filter(task::Column::Id.is_in(ids.iter().copied()));
    tx.delete(tasks).await.map(drop)
}

/// Their steps go with them.
async fn forget(tx: &Tx, end: Timestamp) -> Result<u64> {
    let old = Query::select()
        .column("id")
        .from("task_history")
        .and_where(Expr::col("finished_at").lt(end))
        .order_by("finished_at", sea_orm::Order::Asc)
        .limit(BATCH)
        .to_owned();
    let mut delete = Query::delete();
    delete
        .from_table("task_history")
        .and_where(Expr::col("id").in_subquery(old));
    tx.execute(&delete).await
}
