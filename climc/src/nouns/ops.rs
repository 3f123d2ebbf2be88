//! The operator's page: queues, what is paused, workers, reconcilers; and holding queues back.

use clap::{Arg, Command};
use serde_json::{Value, json};
use types::api::ops::{Pause, View};

use crate::{
    args,
    failure::Failure,
    noun::{Cx, Done, Home, Noun, Verb},
    output::{self, Shape},
};

pub static OPS: Noun = Noun {
    name: "ops",
    about: "Queues, workers and reconcilers; for operators",
    home: Home::Here,
    columns: &[],
    wide: &[],
    verbs: &[SHOW, PAUSE, RESUME],
};

const SHOW: Verb = Verb {
    name: "show",
    about: "What waits and since when, who works, how the reconcilers do",
    examples: "  climc ops\n  climc ops show -o json",
    args: |c| c,
    run: |cx| Box::pin(async move { print(cx, cx.app.client()?.ops().await?) }),
};

const PAUSE: Verb = Verb {
    name: "pause",
    about: "No worker takes new tasks of a kind; those under way go on",
    examples: "  climc ops pause server-create --reason \"storage is being moved\"\n  climc ops pause all --reason upgrade",
    args: held,
    run: |cx| Box::pin(async move { print(cx, cx.app.client()?.pause(&wanted(cx)?).await?) }),
};

const RESUME: Verb = Verb {
    name: "resume",
    about: "Let workers take tasks of a kind again",
    examples: "  climc ops resume server-create --reason \"storage has moved\"",
    args: held,
    run: |cx| Box::pin(async move { print(cx, cx.app.client()?.resume(&wanted(cx)?).await?) }),
};

fn held(command: Command) -> Command {
    let kind = Arg::new("kind").value_name("KIND").required(true);
    command
        .arg(kind.help("The name of a workflow, or `all`"))
        .arg(args::opt("reason", "TEXT", "Why; kept with the event").required(true))
}

fn wanted(cx: Cx<'_>) -> Result<Pause, Failure> {
    Ok(Pause {
        kind: cx.need("kind")?.to_owned(),
        reason: cx.need("reason")?.to_owned(),
    })
}

/// Part of the page: a heading, the field of the view, and its columns.
struct Part {
    title: &'static str,
    field: &'static str,
    none: &'static str,
    noun: Noun,
}

const fn part(title: &'static str, field: &'static str, none: &'static str, columns: &'static [&'static str]) -> Part {
    Part {
        title,
        field,
        none,
        noun: Noun {
            name: field,
            about: "",
            home: Home::Here,
            columns,
            wide: &[],
            verbs: &[],
        },
    }
}

static PARTS: [Part; 4] = [
    part(
        "Queues",
        "queues",
        "no task is under way",
        &[
            "kind",
            "queued",
            "running",
            "waiting",
            "undoing",
            "needs_operator",
            "oldest_at:age",
        ],
    ),
    part(
        "Paused",
        "paused",
        "nothing is paused",
        &["kind", "actor", "since:age", "reason"],
    ),
    part("Workers", "workers", "no worker has a task", &["name", "tasks"]),
    part(
        "Reconcilers",
        "reconcilers",
        "none has had a round",
        &[
            "name",
            "running",
            "started_at:age",
            "seconds",
            "next_at:in",
            "failures",
            "error.message",
            "held_back",
            "worst.text",
        ],
    ),
];

fn print(cx: Cx<'_>, view: View) -> Done {
    let whole = serde_json::to_value(view).map_err(|e| Failure::local("the page cannot be written as JSON", e))?;
    if !cx.app.output.is_for_people() {
        return cx.app.output.print(cx.noun, Shape::One, vec![whole]).map(|()| 0);
    }
    for (n, part) in PARTS.iter().enumerate() {
        let gap = if n == 0 { "" } else { "\n" };
        output::write(&format!("{gap}{}\n", part.title))?;
        match whole[part.field].as_array() {
            Some(rows) if !rows.is_empty() => {
                cx.app
                    .output
                    .print(&part.noun, Shape::Many, rows.iter().map(tidy).collect())?;
            }
            _ => output::write(&format!("{}\n", part.none))?,
        }
    }
    Ok(0)
}

/// Zeros as nothing, so that what is there stands out; times with one digit.
fn tidy(row: &Value) -> Value {
    let Value::Object(fields) = row else {
        return row.clone();
    };
    fields
        .iter()
        .map(|(key, value)| {
            let value = match value {
                Value::Number(n) if n.as_i64() == Some(0) => json!("-"),
                Value::Number(n) if n.is_f64() => json!(format!("{:.3}", n.as_f64().unwrap_or_default())),
                other => other.clone(),
            };
            (key.clone(), value)
        })
        .collect()
}
