//! What an operator asks first: what waits and since when, who works, how the reconcilers do.
//!
//! Counting reads every task at hand, so it is for people who look, not for every request.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};
use store::Store;
use types::{
    Result, Timestamp,
    api::ops::{Queue, Worker},
    states,
};

use crate::row::{reconciler, setback, task};

#[derive(FromQueryResult)]
struct Owner {
    owner: String,
    tasks: i64,
}

#[derive(FromQueryResult)]
struct Group {
    kind: String,
    state: states::Task,
    owned: i64,
    tasks: i64,
    oldest: Timestamp,
}

/// By kind; kinds without tasks are left out.
pub async fn queues(store: &Store) -> Result<Vec<Queue>> {
    // Without parameters, so that the database sees the same expression twice.
    let owned = Expr::cust("CAST(CASE WHEN owner IS NULL THEN 0 ELSE 1 END AS BIGINT)");
    let groups = task::Entity::find()
        .select_only()
        .column(task::Column::Kind)
        .column(task::Column::State)
        .expr_as(owned.clone(), "owned")
        .expr_as(Expr::col(task::Column::Id).count(), "tasks")
        .expr_as(Expr::col(task::Column::CreatedAt).min(), "oldest")
        .filter(task::Column::FinishedAt.is_null())
        .group_by(task::Column::Kind)
        .group_by(task::Column::State)
        .group_by(owned);
    let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
    for group in store.rows(groups.into_model::<Group>()).await? {
        let queue = queues.entry(group.kind.clone()).or_default();
        queue.kind = group.kind;
        let count = match (group.state, group.owned) {
            (states::Task::Queued, _) => &mut queue.queued,
            (states::Task::Running, 0) => &mut queue.waiting,
            (states::Task::Running, _) => &mut queue.running,
            (states::Task::Undoing, _) => &mut queue.undoing,
            _ => &mut queue.needs_operator,
        };
        *count += group.tasks;
        queue.oldest_at = queue.oldest_at.into_iter().chain([group.oldest]).min();
    }
    Ok(queues.into_values().collect())
}

/// The engines that have tasks, busiest first.
pub async fn workers(store: &Store) -> Result<Vec<Worker>> {
    let owners = task::Entity::find()
        .select_only()
        .column(task::Column::Owner)
        .expr_as(Expr::col(task::Column::Id).count(), "tasks")
        .filter(task::Column::Owner.is_not_null())
        .filter(task::Column::FinishedAt.is_null())
        .group_by(task::Column::Owner)
        .order_by_desc(Expr::col(task::Column::Id).count())
        .order_by_asc(task::Column::Owner);
    let owners = store.rows(owners.into_model::<Owner>()).await?;
    let worker = |Owner { owner: name, tasks }| Worker { name, tasks };
    Ok(owners.into_iter().map(worker).collect())
}

/// Every reconciler that ever had a round, by name.
pub async fn reconcilers(store: &Store) -> Result<Vec<reconciler::Model>> {
    store
        .all(reconciler::Entity::find().order_by_asc(reconciler::Column::Name))
        .await
}

/// What reconcilers are held back from, the worst of each reconciler first.
pub async fn setbacks(store: &Store) -> Result<Vec<setback::Model>> {
    let rows = setback::Entity::find()
        .order_by_desc(setback::Column::Failures)
        .order_by_asc(setback::Column::Since);
    store.all(rows).await
}
