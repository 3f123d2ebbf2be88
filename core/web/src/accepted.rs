//! Answers to requests that take time, and waiting for them.

use std::time::Duration;

use store::Store;
use types::{Result, TaskId};

/// How long a caller is willing to wait for the task it started.
pub type Wait = Option<Duration>;

/// Returns when the task is over or the time has passed; an absent task or wait returns at once.
pub async fn wait(store: &Store, task: Option<TaskId>, wait: Wait) -> Result<()> {
    if let (Some(task), Some(limit)) = (task, wait) {
        task::wait(store, task, limit).await?;
    }
    Ok(())
}
