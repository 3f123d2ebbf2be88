//! The verbs that every noun has in the same way: list, show, create from a body, delete, and plain actions.

use clap::{Arg, Command, value_parser};
use isobar_sdk::Query;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    app::confirm,
    args,
    batch::{self, After, Work},
    documents,
    failure::Failure,
    noun::{Cx, Done, Home, Verb},
    output::Shape,
    watch,
};

pub const LIST: Verb = Verb {
    name: "list",
    about: "List them",
    examples: "",
    args: list_args,
    run: |cx| Box::pin(list(cx, Vec::new())),
};

pub const SHOW: Verb = Verb {
    name: "show",
    about: "Show one with all its fields",
    examples: "",
    args: |c| {
        c.arg(args::key())
            .arg(args::flag("watch", "Show it again whenever it changes"))
    },
    run: |cx| Box::pin(show(cx)),
};

pub const DELETE: Verb = Verb {
    name: "delete",
    about: "Delete one or several",
    examples: "",
    args: |c| args::waiting(args::confirming(c.arg(args::keys()))),
    run: |cx| Box::pin(delete(cx)),
};

/// For what is gone at once.
pub const DELETE_NOW: Verb = Verb {
    args: |c| args::confirming(c.arg(args::keys())),
    ..DELETE
};

pub fn list_args(command: Command) -> Command {
    let limit = Arg::new("limit")
        .long("limit")
        .value_name("N")
        .value_parser(value_parser!(usize));
    command
        .arg(
            args::many(
                "filter",
                "KEY=VALUE",
                "Only those, for example state=failed or name.contains=web",
            )
            .value_parser(args::pair),
        )
        .arg(args::opt("state", "STATES", "Only these states, separated by commas"))
        .arg(args::opt("contains", "TEXT", "Only names that contain this"))
        .arg(args::flag("all-projects", "Those of every project that you may see"))
        .arg(args::opt("sort", "FIELD", "Order by a field; `-created_at` for newest first").allow_hyphen_values(true))
        .arg(limit.help("At most so many; all when absent"))
        .arg(args::flag("watch", "Show them again whenever something changes"))
}

/// Lists what fits the common options and `more` filters, which the options of one noun stand for.
pub async fn list(cx: Cx<'_>, more: Vec<(String, String)>) -> Done {
    watch::shown(cx, Shape::Many, async || fetch(cx, &more).await).await
}

fn filters(cx: Cx) -> Vec<(String, String)> {
    let mut filters: Vec<_> = args::pairs(cx.list("filter")).collect();
    if let Some(states) = cx.text("state") {
        let key = if cx.noun.home == Home::Image { "status" } else { "state" };
        filters.push((key.to_owned(), states.to_owned()));
    }
    if let Some(text) = cx.text("contains") {
        let key = if cx.noun.home == Home::Identity {
            "name__contains"
        } else {
            "name.contains"
        };
        filters.push((key.to_owned(), text.to_owned()));
    }
    filters
}

async fn fetch(cx: Cx<'_>, more: &[(String, String)]) -> Result<Vec<Value>, Failure> {
    let limit: Option<usize> = cx.value("limit");
    let client = cx.app.client()?;
    let mut items = match cx.noun.home {
        Home::Region(path) => client.any(path).list(query(cx, more, limit)).all().await?,
        Home::Whole(path) => client.any(path).list(Query::new().whole()).all().await?,
        Home::Identity => client.identity(cx.noun.name).list(&filters(cx)).await?,
        Home::Image => {
            client
                .images()
                .list(&filters(cx), limit.filter(|_| cx.text("sort").is_none()))
                .await?
        }
        Home::Here => Vec::new(),
    };
    if let Some(field) = cx.text("sort") {
        sort(&mut items, field);
    }
    items.truncate(limit.unwrap_or(usize::MAX));
    Ok(items)
}

fn query(cx: Cx, more: &[(String, String)], limit: Option<usize>) -> Query {
    let mut query = Query::new();
    for (key, value) in filters(cx).into_iter().chain(more.iter().cloned()) {
        query = query.filter(key, value);
    }
    if cx.flag("all-projects") {
        query = query.everywhere();
    }
    // Which ones come first matters only when some are left out; otherwise any field can be sorted by here.
    match (limit, cx.text("sort")) {
        (Some(limit), Some(field)) => query.limit(limit).sort(field),
        (Some(limit), None) => query.limit(limit),
        _ => query,
    }
}

fn sort(items: &mut [Value], field: &str) {
    let (path, descending) = field.strip_prefix('-').map_or((field, false), |path| (path, true));
    items.sort_by(|a, b| {
        let (a, b) = (crate::select::select(a, path), crate::select::select(b, path));
        let order = match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => crate::table::plain(&a).cmp(&crate::table::plain(&b)),
        };
        if descending { order.reverse() } else { order }
    });
}

async fn show(cx: Cx<'_>) -> Done {
    let key = cx.need("name")?;
    watch::shown(cx, Shape::One, async || Ok(vec![one(cx, key).await?])).await
}

pub async fn one(cx: Cx<'_>, key: &str) -> Result<Value, Failure> {
    let client = cx.app.client()?;
    Ok(match cx.noun.home {
        Home::Region(path) => client.any(path).get(key).await?,
        Home::Identity => client.identity(cx.noun.name).get(key).await?,
        Home::Image => client.images().get(key).await?,
        Home::Whole(_) | Home::Here => return Err(Failure::usage(format!("a {} cannot be shown alone", cx.noun.name))),
    })
}

async fn delete(cx: Cx<'_>) -> Done {
    let keys = cx.list("name");
    confirm(cx.flag("yes"), cx.noun.name, &keys)?;
    let client = cx.app.client()?;
    let outcomes = batch::each(&keys, async |key: &String| {
        let gone = Work {
            item: json!({ "name": key }),
            task: None,
            parent: None,
        };
        let answer = match cx.noun.home {
            Home::Region(path) => client.any(path).delete(key).await?,
            Home::Identity => client.identity(cx.noun.name).delete(key).await.map(|()| None)?,
            Home::Image => client.images().delete(key).await.map(|()| None)?,
            Home::Whole(_) | Home::Here => None,
        };
        Ok(vec![answer.map_or(gone, |accepted| Work {
            item: accepted.item,
            task: accepted.task,
            parent: None,
        })])
    });
    batch::finish(cx, outcomes.await, After::Deleted).await
}

/// Creates what `-f` describes, or the one that the arguments describe.
pub async fn create<T: Serialize>(cx: Cx<'_>, body: impl FnOnce() -> Result<T, Failure>) -> Done {
    let bodies = match cx.text("file") {
        Some(file) => documents::load(file)?,
        None => vec![serde_json::to_value(body()?).map_err(|e| Failure::local("this cannot be written as JSON", e))?],
    };
    let Home::Region(path) = cx.noun.home else {
        return Err(Failure::usage(format!("a {} is not made this way", cx.noun.name)));
    };
    let client = cx.app.client()?;
    let made = batch::each(&bodies, async |body: &Value| {
        Ok(Work::all(client.any(path).create(body).await?))
    });
    batch::finish(cx, made.await, After::Changed).await
}

/// A named action on each of the given objects.
pub async fn act(cx: Cx<'_>, action: &str, body: Value) -> Done {
    let keys = cx.list("name");
    let Home::Region(path) = cx.noun.home else {
        return Err(Failure::usage(format!("a {} has no such action", cx.noun.name)));
    };
    let client = cx.app.client()?;
    let outcomes = batch::each(&keys, async |key: &String| {
        let answer = client.any(path).act(key, action, &body).await?;
        Ok(vec![Work::from(answer)])
    });
    batch::finish(cx, outcomes.await, After::Changed).await
}
