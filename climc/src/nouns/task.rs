//! Tasks: what is under way, what became of it, and waiting for it.

mod tree;

use std::time::Duration;

use clap::Command;
use futures::{StreamExt, stream};
use serde_json::json;
use types::{TaskId, Timestamp, api::task::View};

use crate::{
    app::deadline,
    args,
    batch::conclude,
    failure::{Failure, INTERRUPTED},
    generic,
    noun::{Cx, Done, Home, Noun, Verb},
    output::{self, Format, Shape},
    progress::Progress,
};

pub static TASK: Noun = Noun {
    name: "task",
    about: "Work that takes time",
    home: Home::Region("tasks"),
    columns: &[
        "id",
        "kind",
        "state",
        "resource_name",
        "step",
        "progress",
        "created_at:age",
    ],
    wide: &["noun", "resource_id", "actor", "request_id", "error.message"],
    verbs: &[LIST, SHOW, WATCH, WAIT, CANCEL, RETRY, ABANDON],
};

const LIST: Verb = Verb {
    name: "list",
    about: "List them, newest first; those that are over too, until they are forgotten",
    examples: "  climc task list --state queued,running --older-than 10m --all-projects\n  climc task list --resource web --kind server-create",
    args: |c| {
        generic::list_args(c)
            .arg(args::opt("kind", "KINDS", "Only these workflows, separated by commas"))
            .arg(args::opt(
                "resource",
                "NAME",
                "Only those about this: a name, an id, or `server/web`",
            ))
            .arg(
                args::opt(
                    "older-than",
                    "TIME",
                    "Only those asked for so long ago, for example 10m",
                )
                .value_parser(args::duration),
            )
    },
    run: |cx| Box::pin(generic::list(cx, chosen(cx))),
};

const SHOW: Verb = Verb {
    name: "show",
    about: "Show one with its steps",
    examples: "",
    args: |c| c.arg(args::key().help("Its id")),
    run: |cx| Box::pin(show(cx)),
};

const WATCH: Verb = Verb {
    name: "watch",
    about: "Print what one does until it is over",
    examples: "",
    args: |c| c.arg(args::key().help("Its id")).arg(timeout()),
    run: |cx| Box::pin(watch(cx)),
};

const WAIT: Verb = Verb {
    name: "wait",
    about: "Return when one or several are over; fails when one failed",
    examples: "  climc task wait task-... --timeout 10m",
    args: |c| c.arg(args::keys().help("Their ids")).arg(timeout()),
    run: |cx| Box::pin(wait(cx)),
};

const CANCEL: Verb = Verb {
    name: "cancel",
    about: "Stop at the next safe point and undo what was done",
    examples: "",
    args: |c| c.arg(args::keys().help("Their ids")),
    run: |cx| Box::pin(generic::act(cx, "cancel", json!({}))),
};

const RETRY: Verb = Verb {
    name: "retry",
    about: "Try again to undo one that needs an operator",
    examples: "",
    args: with_reason,
    run: |cx| Box::pin(decide(cx, "retry")),
};

const ABANDON: Verb = Verb {
    name: "abandon",
    about: "Give up undoing one that needs an operator",
    examples: "",
    args: with_reason,
    run: |cx| Box::pin(decide(cx, "abandon")),
};

fn with_reason(command: Command) -> Command {
    let reason = args::opt("reason", "TEXT", "Why; kept with the task");
    command.arg(args::keys().help("Their ids")).arg(reason.required(true))
}

async fn decide(cx: Cx<'_>, action: &str) -> Done {
    generic::act(cx, action, json!({ "reason": cx.need("reason")? })).await
}

fn timeout() -> clap::Arg {
    args::opt("timeout", "TIME", "How long to wait")
        .value_parser(args::duration)
        .default_value("10m")
}

fn id(text: &str) -> Result<TaskId, Failure> {
    text.parse()
        .map_err(|_| Failure::usage(format!("`{text}` is not the id of a task: these begin with `task-`")))
}

/// The filters that the options of `list` stand for.
fn chosen(cx: Cx<'_>) -> Vec<(String, String)> {
    let mut filters = Vec::new();
    let mut add = |key: &str, value: &str| filters.push((key.to_owned(), value.to_owned()));
    if let Some(kinds) = cx.text("kind") {
        add("kind", kinds);
    }
    if let Some(text) = cx.text("resource") {
        let key = match text.split_once('/') {
            Some((noun, key)) => {
                add("resource_noun", noun);
                key
            }
            None => text,
        };
        let is_id = key.rsplit_once('-').is_some_and(|(_, digits)| digits.len() == 26);
        add(if is_id { "resource_id" } else { "resource_name" }, key);
    }
    if let Some(age) = cx.value::<Duration>("older-than") {
        let micros = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        let then = Timestamp::from_micros(Timestamp::now().as_micros().saturating_sub(micros));
        add("created_at.le", &then.to_string());
    }
    filters
}

async fn show(cx: Cx<'_>) -> Done {
    let item = generic::one(cx, cx.need("name")?).await?;
    if !cx.app.output.is_for_people() || !cx.app.output.columns.is_empty() {
        return cx.app.output.print(cx.noun, Shape::One, vec![item]).map(|()| 0);
    }
    let task: View = serde_json::from_value(item).map_err(|e| Failure::local("the task has an unknown shape", e))?;
    output::write(&tree::text(&task, Timestamp::now())).map(|()| 0)
}

async fn watch(cx: Cx<'_>) -> Done {
    let end = deadline(cx.value("timeout")).looking_every(Duration::from_secs(1));
    let mut last = String::new();
    let task = cx.app.client()?.wait_for(id(cx.need("name")?)?, end, |task| {
        let text = match cx.app.output.format {
            Format::Json | Format::Jsonl => format!("{}\n", json!(task)),
            _ => format!(
                "{} {} {}\n",
                task.state,
                task.step.as_deref().unwrap_or("-"),
                task.progress
            ),
        };
        if text != last {
            let _ = output::write(&text);
            last = text;
        }
    });
    let task = task.await?;
    cx.app
        .client()?
        .settle(Some(task.id), end, |_| ())
        .await
        .map(|()| 0)
        .map_err(Failure::from)
}

async fn wait(cx: Cx<'_>) -> Done {
    let ids = cx
        .list("name")
        .iter()
        .map(|text| id(text))
        .collect::<Result<Vec<_>, _>>()?;
    let (client, end) = (cx.app.client()?, deadline(cx.value("timeout")));
    let progress = &Progress::tasks(ids.len());
    let count = ids.len();
    let waiting = stream::iter(ids)
        .map(|id| async move {
            let done = client.settle(Some(id), end, |task| progress.task(task)).await;
            progress.one_done();
            done.map_err(Failure::from)
        })
        .buffered(32)
        .filter_map(async |done| done.err())
        .collect::<Vec<_>>();
    let failures = tokio::select! {
        failures = waiting => failures,
        _ = tokio::signal::ctrl_c() => return Ok(INTERRUPTED),
    };
    Ok(conclude(cx, count - failures.len(), failures))
}
