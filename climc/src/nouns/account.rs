//! Cloud accounts: where servers can be made.

use serde_json::{Value, json};
use types::api::account::Create;

use crate::{
    args,
    failure::Failure,
    generic::{self, DELETE, LIST, SHOW},
    noun::{Cx, Done, Home, Noun, Verb},
    output::Shape,
};

pub static CLOUD_ACCOUNT: Noun = Noun {
    name: "cloud-account",
    about: "Clouds and private sites that servers can be made on",
    home: Home::Region("cloud-accounts"),
    columns: &["name", "driver", "state", "hosts", "synced_at:age", "fault"],
    wide: &["id", "task", "created_at:age"],
    verbs: &[CREATE, LIST, SHOW, SYNC, DRIVERS, DELETE],
};

const CREATE: Verb = Verb {
    name: "create",
    about: "Add one",
    examples: "  climc cloud-account create lab --driver sim --option hosts=20 --wait\n  climc cloud-account drivers",
    args: |c| {
        args::waiting(args::batch(c.arg(args::new_name())))
            .arg(
                args::opt("driver", "DRIVER", "Its kind; see `climc cloud-account drivers`")
                    .required_unless_present("file"),
            )
            .arg(
                args::many(
                    "option",
                    "KEY=VALUE",
                    "What the driver wants to know; may be repeated; `@FILE` reads a file",
                )
                .value_parser(args::pair),
            )
    },
    run: |cx| Box::pin(generic::create(cx, move || wanted(cx))),
};

fn wanted(cx: Cx) -> Result<Create, Failure> {
    let options = args::pairs(cx.list("option")).map(|(key, value)| Ok((key, option(&value)?)));
    Ok(Create {
        name: cx.need("name")?.to_owned(),
        driver: cx.need("driver")?.to_owned(),
        options: options.collect::<Result<_, Failure>>()?,
    })
}

/// A value as text; secrets can stay in files.
fn option(value: &str) -> Result<Value, Failure> {
    let Some(file) = value.strip_prefix('@') else {
        return Ok(json!(value));
    };
    let text = std::fs::read_to_string(file).map_err(|e| Failure::local(format!("`{file}` cannot be read"), e))?;
    Ok(json!(text.trim_end()))
}

const SYNC: Verb = Verb {
    name: "sync",
    about: "Look again at what the cloud has",
    examples: "",
    args: |c| args::waiting(c.arg(args::keys())),
    run: |cx| Box::pin(generic::act(cx, "sync", json!({}))),
};

const DRIVERS: Verb = Verb {
    name: "drivers",
    about: "List the kinds that can be added, with their options",
    examples: "",
    args: |c| c,
    run: |cx| Box::pin(drivers(cx)),
};

static DRIVER: Noun = Noun {
    name: "driver",
    about: "",
    home: Home::Here,
    columns: &["kind", "about"],
    wide: &["options"],
    verbs: &[],
};

async fn drivers(cx: Cx<'_>) -> Done {
    let items = cx
        .app
        .client()?
        .any("drivers")
        .list(isobar_sdk::Query::new().whole())
        .all()
        .await?;
    cx.app.output.print(&DRIVER, Shape::Many, items).map(|()| 0)
}
