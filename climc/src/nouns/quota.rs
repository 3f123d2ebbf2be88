//! Quotas: what a project may use and does.

use clap::{Arg, value_parser};
use isobar_sdk::{Method, Service};
use serde_json::Value;
use types::api::{Items, quota::Update};

use crate::{
    args,
    noun::{Cx, Done, Home, Noun, Verb},
    output::Shape,
};

pub static QUOTA: Noun = Noun {
    name: "quota",
    about: "What a project may use and does",
    home: Home::Whole("quotas"),
    columns: &["resource", "used", "max"],
    wide: &[],
    verbs: &[LIST, SET],
};

const LIST: Verb = Verb {
    name: "list",
    about: "The limits and what is used of them; below zero means no limit",
    examples: "",
    args: |c| c.arg(args::opt("of", "PROJECT", "Another project, by name or id")),
    run: |cx| Box::pin(ask(cx, None)),
};

const SET: Verb = Verb {
    name: "set",
    about: "Set one limit; below zero means none",
    examples: "  climc quota set servers 100 --of demo",
    args: |c| {
        let max = Arg::new("max")
            .required(true)
            .value_name("MAX")
            .allow_negative_numbers(true);
        c.arg(Arg::new("resource").required(true).value_name("RESOURCE"))
            .arg(max.value_parser(value_parser!(i64)))
            .arg(args::opt("of", "PROJECT", "Another project, by name or id"))
    },
    run: |cx| {
        Box::pin(async move {
            let resource = cx.need("resource")?.to_owned();
            ask(
                cx,
                Some(Update {
                    resource,
                    max: cx.value("max").unwrap_or(-1),
                }),
            )
            .await
        })
    },
};

async fn ask(cx: Cx<'_>, change: Option<Update>) -> Done {
    let client = cx.app.client()?;
    let method = if change.is_some() { Method::PUT } else { Method::GET };
    let mut call = client.call(method, Service::Region, "quotas");
    if let Some(project) = cx.text("of") {
        call = call.query("project", client.identity("project").id(project).await?);
    }
    if let Some(change) = &change {
        call = call.json(change);
    }
    let quotas: Items<Value> = call.receive().await?;
    cx.app.output.print(cx.noun, Shape::Many, quotas.items).map(|()| 0)
}
