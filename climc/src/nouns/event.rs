//! Events: what happened, and what is happening.

use std::pin::pin;

use clap::{Arg, value_parser};
use futures::StreamExt;
use isobar_sdk::{Follow, Method, Service};
use serde_json::{Value, json};
use types::api::{Items, event::View};

use crate::{
    args,
    failure::INTERRUPTED,
    noun::{Cx, Done, Home, Noun, Verb},
    output::{self, Format, Shape},
};

pub static EVENT: Noun = Noun {
    name: "event",
    about: "Every state change, in order",
    home: Home::Here,
    columns: &["seq", "at", "kind", "name", "actor"],
    wide: &["resource_id", "project_id", "request_id", "data"],
    verbs: &[LIST, WATCH],
};

const LIST: Verb = Verb {
    name: "list",
    about: "What happened",
    examples: "  climc event list --noun server --since 1200 -o jsonl",
    args: |c| {
        let limit = Arg::new("limit")
            .long("limit")
            .value_name("N")
            .value_parser(value_parser!(usize));
        which(c).arg(limit.help("At most so many; all when absent"))
    },
    run: |cx| Box::pin(list(cx)),
};

const WATCH: Verb = Verb {
    name: "watch",
    about: "What happens, until interrupted",
    examples: "  climc event watch --noun server",
    args: |c| which(c).arg(args::number("count", "Stop after so many")),
    run: |cx| Box::pin(watch(cx)),
};

fn which(command: clap::Command) -> clap::Command {
    command
        .arg(args::opt("noun", "NOUN", "Only about this kind of thing"))
        .arg(args::opt("resource", "ID", "Only about the thing with this id"))
        .arg(args::opt("since", "SEQ", "After this event").value_parser(value_parser!(i64)))
}

fn filters(cx: Cx) -> Vec<(String, String)> {
    let given = |key: &str| Some((key.to_owned(), cx.owned(key)?));
    ["noun", "resource"].into_iter().filter_map(given).collect()
}

async fn list(cx: Cx<'_>) -> Done {
    const PAGE: usize = 500;
    let mut since: Option<String> = cx.value::<i64>("since").map(|seq| seq.to_string());
    let limit = cx.value("limit").unwrap_or(usize::MAX);
    let mut items: Vec<Value> = Vec::new();
    while items.len() < limit {
        let size = (limit - items.len()).min(PAGE);
        let mut call = cx.app.client()?.call(Method::GET, Service::Region, "events");
        call = call.query("follow", "false").query("limit", size.to_string());
        for (key, value) in filters(cx) {
            call = call.query(key, value);
        }
        if let Some(seq) = &since {
            call = call.query("since", seq);
        }
        let page: Items<Value> = call.receive().await?;
        let full = page.items.len() >= size;
        items.extend(page.items);
        since = page.next.or(since);
        if !full {
            break;
        }
    }
    cx.app.output.print(cx.noun, Shape::Many, items).map(|()| 0)
}

async fn watch(cx: Cx<'_>) -> Done {
    let follow = Follow {
        since: cx.value("since"),
        filters: filters(cx),
    };
    let mut left: u32 = cx.value("count").unwrap_or(u32::MAX);
    let mut events = pin!(cx.app.client()?.events(follow));
    while left > 0 {
        let event = tokio::select! {
            event = events.next() => event,
            _ = tokio::signal::ctrl_c() => return Ok(INTERRUPTED),
        };
        match event {
            Some(event) => print(cx, &event?)?,
            None => break,
        }
        left -= 1;
    }
    Ok(0)
}

/// One line an event, as it comes; machine formats get one object a line.
fn print(cx: Cx, event: &View) -> Result<(), crate::failure::Failure> {
    match cx.app.output.format {
        Format::Table | Format::Wide if cx.app.output.is_for_people() => {
            let (at, kind, name) = (event.at, &event.kind, &event.name);
            output::write(&format!("{at}  {kind:24}  {name:24}  {}\n", event.actor))
        }
        Format::Name => output::write(&format!("{}\n", event.kind)),
        _ => output::write(&format!("{}\n", json!(event))),
    }
}
