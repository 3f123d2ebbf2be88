//! What the engine counts: queue depth, latency of steps, retries, takeovers, ends.

use std::{sync::Arc, time::Duration};

use sea_orm::{EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use types::{Timestamp, states::Task};

use super::Shared;
use crate::row::task;

const MEASURED_EVERY: Duration = Duration::from_secs(10);
/// A queue is counted up to here: deeper is deep enough for an alarm, and each count stays cheap.
const DEEPEST: u64 = 10_000;

pub(super) fn step(name: &'static str, took: Duration, ok: bool) {
    let outcome = if ok { "ok" } else { "error" };
    metrics::histogram!("isobar_task_step_seconds", "step" => name, "outcome" => outcome).record(took.as_secs_f64());
}

pub(super) fn retried(step: &str) {
    metrics::counter!("isobar_task_step_retries_total", "step" => step.to_owned()).increment(1);
}

pub(super) fn taken_over() {
    metrics::counter!("isobar_task_takeovers_total").increment(1);
}

pub(super) fn ended(kind: &str, state: Task) {
    metrics::counter!("isobar_task_ended_total", "kind" => kind.to_owned(), "state" => state.as_str()).increment(1);
}

pub(super) fn undo(name: &'static str, took: Duration, ok: bool) {
    let outcome = if ok { "ok" } else { "error" };
    metrics::histogram!("isobar_task_undo_seconds", "step" => name, "outcome" => outcome).record(took.as_secs_f64());
}

/// Measures the queue now and then, until dropped.
pub(super) async fn watch(shared: Arc<Shared>) {
    loop {
        let queued = task::Entity::find().filter(Expr::cust("state = 'queued'"));
        let oldest = queued.clone().order_by_asc(task::Column::Id).limit(1);
        if let Ok(tasks) = shared.store.count_to(queued, DEEPEST).await {
            metrics::gauge!("isobar_task_queue_depth").set(tasks as f64);
        }
        if let Ok(row) = shared.store.one(oldest).await {
            let age = row.map_or(Duration::ZERO, |row| Timestamp::now().since(row.created_at));
            metrics::gauge!("isobar_task_oldest_seconds").set(age.as_secs_f64());
        }
        tokio::time::sleep(MEASURED_EVERY).await;
    }
}
