//! What the engine counts: queue depth, latency of steps, retries, takeovers, ends.

use std::time::Duration;

use types::states::Task;

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

pub(super) fn queue_depth(tasks: u64) {
    metrics::gauge!("isobar_task_queue_depth").set(tasks as f64);
}
