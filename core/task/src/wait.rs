//! Waiting for a task's end: by looking, and looking again when something changed or a second passed.

use std::time::Duration;

use sea_orm::EntityTrait;
use store::Store;
use tokio::time::{Instant, timeout_at};
use types::{Error, Result, TaskId, states::Task};

use crate::{
    CHANNEL,
    row::{record, task},
};

/// The state at the end, or after `limit`. A task that needs an operator will not go on by itself: it is returned too.
pub async fn wait(store: &Store, id: TaskId, limit: Duration) -> Result<Task> {
    let end = Instant::now() + limit;
    let mut changes = store.signal(CHANNEL);
    loop {
        changes.borrow_and_update();
        let Some(row) = store.one(task::Entity::find_by_id(id)).await? else {
            return past(store, id).await;
        };
        let rests = row.state == Task::NeedsOperator && row.due_at.is_none();
        if row.state.is_over() || rests || Instant::now() >= end {
            return Ok(row.state);
        }
        let next = end.min(Instant::now() + Duration::from_secs(1));
        // Timed out or woken: either way, look.
        let _ = timeout_at(next, changes.changed()).await;
    }
}

/// How a task ended that is not at hand any more.
async fn past(store: &Store, id: TaskId) -> Result<Task> {
    let row = store.one(record::Entity::find_by_id(id)).await?;
    row.map(|row| row.state).ok_or_else(|| Error::not_found("task", id))
}
