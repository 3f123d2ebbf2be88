//! Doing one thing to several objects: a few at a time, waiting for their tasks, one exit code for all.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use types::TaskId;

use crate::{
    app::deadline,
    failure::{Failure, INTERRUPTED, PARTIAL},
    noun::{Cx, Done, Home},
    output::{Shape, name},
    progress::Progress,
};

/// How many requests are under way at once.
const ABREAST: usize = 8;
/// How many tasks are waited for at once; the others are asked for when these are over.
const WAITING: usize = 32;

/// Something that was asked for, and the task that does it.
pub struct Work {
    pub item: Value,
    pub task: Option<TaskId>,
    /// The task that waits for this one and others.
    pub parent: Option<TaskId>,
}

impl Work {
    /// From any answer to a mutation: the object itself, or `{"item", "task"}`.
    pub fn from(answer: Value) -> Self {
        match answer {
            Value::Object(mut map) if map.contains_key("item") => Self {
                task: id(map.get("task")),
                item: map.remove("item").unwrap_or_default(),
                parent: None,
            },
            item => Self {
                item,
                task: None,
                parent: None,
            },
        }
    }

    /// As [`Work::from`], also for answers about several objects.
    pub fn all(mut answer: Value) -> Vec<Self> {
        let parent = id(answer.get("task"));
        match answer.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => {
                let works = items.into_iter().map(Self::from);
                works.map(|work| Self { parent, ..work }).collect()
            }
            _ => vec![Self::from(answer)],
        }
    }
}

fn id(value: Option<&Value>) -> Option<TaskId> {
    value.and_then(Value::as_str).and_then(|id| id.parse().ok())
}

pub type Outcome = Result<Work, Failure>;

/// Runs `action` on each key, some at a time; outcomes are in the order of the keys.
pub async fn each<K, F, R>(keys: impl IntoIterator<Item = K>, action: F) -> Vec<Outcome>
where
    F: Fn(K) -> R,
    R: Future<Output = Result<Vec<Work>, Failure>>,
{
    let lists = stream::iter(keys).map(action).buffered(ABREAST);
    let flat = lists.flat_map(|outcome| match outcome {
        Ok(works) => stream::iter(works.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(failure) => stream::iter(vec![Err(failure)]),
    });
    flat.collect().await
}

/// What the objects are in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// There, perhaps changed: they are shown as they are now.
    Changed,
    Deleted,
}

/// Waits where `--wait` says so, shows what became of the objects, reports what failed.
pub async fn finish(cx: Cx<'_>, outcomes: Vec<Outcome>, after: After) -> Done {
    let single = outcomes.len() == 1;
    let outcomes = match cx.waits() {
        true => match settle(cx, outcomes, after).await {
            Some(outcomes) => outcomes,
            None => return Ok(INTERRUPTED),
        },
        false => outcomes,
    };
    let (mut works, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(work) => works.push(work),
            Err(failure) => failures.push(failure),
        }
    }
    show(cx, &works, after, single)?;
    Ok(conclude(cx, works.len(), failures))
}

fn show(cx: Cx, works: &[Work], after: After, single: bool) -> Result<(), Failure> {
    if after == After::Deleted && cx.app.output.is_for_people() {
        for work in works {
            let (noun, name) = (cx.noun.name, name(&work.item));
            match work.task {
                Some(task) if !cx.waits() => cx.app.say(&format!("{noun} {name} is being deleted ({task})"))?,
                _ => cx.app.say(&format!("{noun} {name} deleted"))?,
            }
        }
        return Ok(());
    }
    if works.is_empty() {
        return Ok(());
    }
    let shape = if single { Shape::One } else { Shape::Many };
    cx.app
        .output
        .print(cx.noun, shape, works.iter().map(|work| work.item.clone()).collect())
}

/// Reports failures and chooses the exit code: that of the failures when nothing succeeded, else partial.
pub fn conclude(cx: Cx, succeeded: usize, failures: Vec<Failure>) -> u8 {
    for failure in &failures {
        cx.app.report(failure);
    }
    match failures.first() {
        None => 0,
        Some(first) if succeeded == 0 && failures.iter().all(|f| f.exit == first.exit) => first.exit,
        Some(_) => PARTIAL,
    }
}

/// Waits for all tasks; `None` when Ctrl-C ended it.
async fn settle(cx: Cx<'_>, outcomes: Vec<Outcome>, after: After) -> Option<Vec<Outcome>> {
    let works = outcomes.iter().flatten();
    let parents: BTreeSet<TaskId> = works.clone().filter_map(|work| work.parent).collect();
    let tasks: Vec<TaskId> = works.filter_map(|work| work.parent.or(work.task)).collect();
    let progress = &Progress::tasks(tasks.len());
    let end = deadline(cx.value("timeout"));
    // One question for many: when these are over, the others are answered at once. What fails here fails there too.
    let whole = stream::iter(parents.clone()).for_each_concurrent(WAITING, |parent| async move {
        if let Ok(client) = cx.app.client() {
            let _ = client.wait_for(parent, end, |task| progress.task(task)).await;
        }
    });
    let waiting = stream::iter(outcomes).map(|outcome| async move {
        let mut work = outcome?;
        let client = cx.app.client()?;
        client.settle(work.task, end, |task| progress.task(task)).await?;
        if let (After::Changed, Some(_), Home::Region(path), Some(id)) = (
            after,
            work.task,
            cx.noun.home,
            work.item.get("id").and_then(Value::as_str),
        ) {
            work.item = client.any(path).get(id).await?;
        }
        if let (Some("guest"), Some(id)) = (cx.awaited(), work.item.get("id").and_then(Value::as_str)) {
            progress.message(format!("server {}: its guest boots", name(&work.item)));
            work.item = json!(client.wait_for_guest(id, end).await?);
        }
        progress.one_done();
        Ok(work)
    });
    let waiting = waiting.buffered(WAITING).collect();
    let all = async {
        whole.await;
        waiting.await
    };
    tokio::select! {
        outcomes = all => Some(outcomes),
        _ = tokio::signal::ctrl_c() => {
            eprintln!("interrupted; the work goes on");
            for task in tasks.iter().collect::<BTreeSet<_>>().into_iter().take(10) {
                eprintln!("hint: climc task wait {task}");
            }
            None
        }
    }
}
