//! A task as a tree: below it its steps, each with when it began, how long it took, how often it was tried, and why it
//! failed.

use types::{
    Error, Timestamp,
    api::task::{Step, View},
};
use unicode_width::UnicodeWidthStr;

/// The whole page. What is not over has lasted until `now`.
pub fn text(task: &View, now: Timestamp) -> String {
    let mut text = format!(
        "{} {} of {} {}: {}\n",
        task.id, task.kind, task.noun, task.resource_name, task.state
    );
    text.push_str(&format!(
        "by {} at {}, {}\n",
        task.actor,
        task.created_at,
        lasted(task, now)
    ));
    if !task.progress.is_empty() && !task.state.is_over() {
        text.push_str(&format!("{}\n", task.progress));
    }
    text.push_str(&reason(task.error.as_ref(), ""));
    text.push_str(&steps(task, now));
    text
}

/// How long it waited to begin, and how long it has been at it.
fn lasted(task: &View, now: Timestamp) -> String {
    let waited = seconds(task.created_at, task.started_at.or(task.finished_at).unwrap_or(now));
    match (task.started_at, task.finished_at) {
        (None, None) => format!("queued for {waited}"),
        (None, Some(_)) => format!("over after {waited} in the queue"),
        (Some(from), None) => format!("queued for {waited}, under way for {}", seconds(from, now)),
        (Some(from), Some(to)) => format!("queued for {waited}, took {}", seconds(from, to)),
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> String {
    format!("{:.1}s", to.since(from).as_secs_f64())
}

fn reason(error: Option<&Error>, indent: &str) -> String {
    error.map_or_else(String::new, |error| format!("{indent}error: {}\n", error.chain()))
}

/// Aligned: mark, name, state, start after the task's own, duration, attempts.
fn steps(task: &View, now: Timestamp) -> String {
    let zero = task.started_at.unwrap_or(task.created_at);
    let widest = |cell: fn(&Step) -> &str| task.steps.iter().map(|step| cell(step).width()).max().unwrap_or(0);
    let (names, states) = (widest(|step| &step.name), widest(|step| &step.state));
    let mut text = String::new();
    for (n, step) in task.steps.iter().enumerate() {
        let (branch, below) = match n + 1 == task.steps.len() {
            true => ("└─", "     "),
            false => ("├─", "│    "),
        };
        let line = format!(
            "{branch} {} {:names$}  {:states$}  at {:>7}  {:>7}{}",
            mark(step),
            step.name,
            step.state,
            seconds(zero, step.started_at),
            seconds(step.started_at, step.finished_at.unwrap_or(now)),
            again(step),
        );
        text.push_str(&format!("{}\n", line.trim_end()));
        text.push_str(&reason(step.error.as_ref(), below));
    }
    text
}

fn mark(step: &Step) -> &'static str {
    match step.state.as_str() {
        "done" => "✓",
        "failed" => "✗",
        "undone" => "↶",
        _ => "…",
    }
}

fn again(step: &Step) -> String {
    match step.attempts {
        ..=1 => String::new(),
        many => format!("  {many} attempts"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(state: &str, finished: Option<&str>, want: Expect) {
        let task: View = serde_json::from_value(json!({
            "id": "task-00000000000000000000000000", "kind": "server-create", "state": state, "noun": "server",
            "resource_id": "srv-1", "resource_name": "web", "progress": "starting the guest", "step": null,
            "error": finished.map(|_| json!({"kind": "unavailable", "message": "the host is silent", "code": "unavailable"})),
            "cancel_requested": false, "actor": "anna", "request_id": "req-1", "project_id": null,
            "created_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-01T00:00:00.5Z", "finished_at": finished,
            "steps": [
                {"seq": 0, "name": "claim-host", "state": "done", "attempts": 1, "error": null,
                 "started_at": "2026-01-01T00:00:00.6Z", "finished_at": "2026-01-01T00:00:00.9Z"},
                {"seq": 1, "name": "power-on", "state": "started", "attempts": 3,
                 "error": {"kind": "unavailable", "message": "connection refused", "code": "unavailable"},
                 "started_at": "2026-01-01T00:00:01Z", "finished_at": finished},
            ],
        }))
        .unwrap();
        want.assert_eq(&text(&task, "2026-01-01T00:01:00Z".parse().unwrap()));
    }

    #[test]
    fn a_task_under_way() {
        check(
            "running",
            None,
            expect![[r#"
            task-00000000000000000000000000 server-create of server web: running
            by anna at 2026-01-01T00:00:00.000000Z, queued for 0.5s, under way for 59.5s
            starting the guest
            ├─ ✓ claim-host  done     at    0.1s     0.3s
            └─ … power-on    started  at    0.5s    59.0s  3 attempts
                 error: connection refused
        "#]],
        );
    }

    #[test]
    fn a_task_that_failed() {
        check(
            "failed",
            Some("2026-01-01T00:00:31Z"),
            expect![[r#"
            task-00000000000000000000000000 server-create of server web: failed
            by anna at 2026-01-01T00:00:00.000000Z, queued for 0.5s, took 30.5s
            error: the host is silent
            ├─ ✓ claim-host  done     at    0.1s     0.3s
            └─ … power-on    started  at    0.5s    30.0s  3 attempts
                 error: connection refused
        "#]],
        );
    }
}
