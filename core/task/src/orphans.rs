//! What a dead predecessor left: on SQLite, whoever comes alone need not wait until its leases run out.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use store::{Presence, Store};
use types::{Result, Timestamp};

use crate::row::{reconciler, task};

/// Call before engines and reconcilers begin, and keep what it returns while they work.
///
/// When no other process works on the database, everything that is claimed was claimed by one that died: its leases
/// end now. The owner stays in the row, so that the next claim counts as a takeover, with a higher fence as always.
pub async fn arrive(store: &Store) -> Result<Presence> {
    store.enter(end_leases(store)).await
}

async fn end_leases(store: &Store) -> Result<()> {
    let now = Timestamp::from_micros(0);
    let tx = store.begin().await?;
    let tasks = task::Entity::update_many()
        .col_expr(task::Column::DueAt, Expr::value(now))
        .filter(Expr::cust("due_at IS NOT NULL AND state <> 'queued'"))
        .filter(task::Column::Owner.is_not_null());
    let tasks = tx.update(tasks).await?;
    let rounds = reconciler::Entity::update_many()
        .col_expr(reconciler::Column::DueAt, Expr::value(now))
        .filter(reconciler::Column::Owner.is_not_null());
    let rounds = tx.update(rounds).await?;
    tx.commit().await?;
    if tasks + rounds > 0 {
        tracing::info!(
            tasks,
            rounds,
            "a process died at work here; its work is taken up at once"
        );
    }
    Ok(())
}
