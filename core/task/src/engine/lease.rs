//! Heartbeats: claims are renewed together, and what changed behind a worker's back reaches it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, SimpleExpr},
};
use store::Tx;
use types::{Error, Result, TaskId};

use super::{
    Hand, Shared,
    held::{Key, locked},
    journal,
};
use crate::{CANCELS, row::task};

/// The claims of one engine.
#[derive(Default)]
pub(super) struct Hands {
    by_id: Mutex<HashMap<TaskId, Arc<Hand>>>,
}

impl Hands {
    /// A claim of a task that is still here means that our own lease ran out: the older one is lost.
    pub fn add(&self, hand: Arc<Hand>) {
        if let Some(older) = self.lock().insert(hand.id, hand) {
            older.lost.cancel();
        }
    }

    pub fn remove(&self, hand: &Hand) {
        let mut by_id = self.lock();
        if by_id.get(&hand.id).is_some_and(|known| known.fence == hand.fence) {
            by_id.remove(&hand.id);
        }
    }

    pub fn all(&self) -> Vec<Arc<Hand>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Arc<Hand>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the claims until dropped.
pub(super) async fn keep(shared: Arc<Shared>, hands: Arc<Hands>) {
    let mut cancels = shared.store.signal(CANCELS);
    loop {
        let hint = tokio::time::timeout(shared.settings.beat, cancels.changed()).await;
        let held = hands.all();
        if held.is_empty() {
            continue;
        }
        let age = held.iter().map(|hand| hand.age()).max().unwrap_or_default();
        let work = async {
            // Cancels that come in quick succession must not keep the heart from beating.
            if hint.is_err() || age >= shared.settings.beat {
                renew(&shared, &held).await?;
            }
            look(&shared, &held).await
        };
        // Not a moment longer than the oldest lease lasts: its worker must stop when another may begin.
        let left = shared.settings.lease.saturating_sub(age);
        let done = tokio::time::timeout(left, work).await;
        let done = done.unwrap_or_else(|_| Err(Error::unavailable("the database did not answer")));
        if let Err(error) = done {
            tracing::warn!(error = error.chain(), "claims could not be renewed");
        }
        give_up_old(&shared, &held);
    }
}

/// Those of `held` that are still ours, locked.
async fn ours(shared: &Shared, tx: &Tx, held: &[Arc<Hand>]) -> Result<SimpleExpr> {
    let claims = held.iter().map(|hand| Key::new(hand.id, hand.fence)).collect();
    let claims = locked(tx, &shared.owner, &claims).await?;
    Ok(task::Column::Id.is_in(claims.into_keys().map(|key| key.task_id)))
}

async fn renew(shared: &Shared, held: &[Arc<Hand>]) -> Result<()> {
    let tx = shared.store.begin().await?;
    let ours = ours(shared, &tx, held).await?;
    let update = task::Entity::update_many()
        .col_expr(
            task::Column::DueAt,
            journal::from_now(tx.is_postgres(), shared.settings.lease),
        )
        .filter(ours);
    let asked = Instant::now();
    tx.update(update).await?;
    tx.commit().await?;
    for hand in held {
        *hand.renewed.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }
    Ok(())
}

/// Passes on cancels, and stops workers whose task is another's now.
async fn look(shared: &Shared, held: &[Arc<Hand>]) -> Result<()> {
    let select = task::Entity::find().filter(task::Column::Id.is_in(held.iter().map(|hand| hand.id)));
    let rows = shared.store.all(select).await?;
    for hand in held {
        let row = rows.iter().find(|row| row.id == hand.id);
        if row.is_none_or(|row| row.fence > hand.fence) {
            hand.lost.cancel();
        }
        if row.is_some_and(|row| row.cancel_requested) {
            hand.cancel.cancel();
        }
    }
    Ok(())
}

/// When the database was silent for a whole lease, others may have our tasks: start nothing more.
fn give_up_old(shared: &Shared, held: &[Arc<Hand>]) {
    for hand in held {
        if hand.age() >= shared.settings.lease {
            hand.lost.cancel();
        }
    }
}

/// Lets go of everything at once, for a process that ends.
pub(super) async fn drop_all(shared: &Shared, held: &[Arc<Hand>]) -> Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    let mut tx = shared.store.begin().await?;
    let ours = ours(shared, &tx, held).await?;
    let update = task::Entity::update_many()
        .col_expr(task::Column::Owner, Expr::value(None::<String>))
        .col_expr(
            task::Column::DueAt,
            journal::from_now(tx.is_postgres(), std::time::Duration::ZERO),
        )
        .filter(ours);
    tx.update(update).await?;
    tx.wake(crate::QUEUE);
    tx.commit().await
}
