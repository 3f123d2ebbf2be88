//! Disks: made, attached, grown.

use clap::Command;
use serde_json::json;
use types::{
    Size,
    api::disk::{Attach, Create, Resize},
};

use crate::{
    args,
    failure::Failure,
    generic::{self, DELETE, LIST, SHOW},
    noun::{Cx, Home, Noun, Verb},
};

pub static DISK: Noun = Noun {
    name: "disk",
    about: "Volumes, attached to servers or not",
    home: Home::Region("disks"),
    columns: &["name", "state", "size:size", "server_id", "root", "created_at:age"],
    wide: &["id", "host_id", "storage_id", "task", "fault"],
    verbs: &[CREATE, LIST, SHOW, ATTACH, DETACH, RESIZE, DELETE],
};

fn on_disks(command: Command) -> Command {
    args::waiting(command.arg(args::keys()))
}

const CREATE: Verb = Verb {
    name: "create",
    about: "Make one",
    examples: "  climc disk create data --size 20G --near web --wait",
    args: |c| {
        args::waiting(args::batch(c.arg(args::new_name())))
            .arg(args::size("size", "For example 20G").required_unless_present("file"))
            .arg(args::opt("near", "SERVER", "On the host of this server"))
            .arg(args::opt("account", "ACCOUNT", "On this cloud account"))
            .arg(args::tags())
    },
    run: |cx| Box::pin(generic::create(cx, move || wanted(cx))),
};

fn wanted(cx: Cx) -> Result<Create, Failure> {
    Ok(Create {
        name: cx.need("name")?.to_owned(),
        size: cx.value::<Size>("size").unwrap_or_default(),
        near: cx.owned("near"),
        account: cx.owned("account"),
        tags: args::pairs(cx.list("tag")).collect(),
    })
}

const ATTACH: Verb = Verb {
    name: "attach",
    about: "Give it to a server",
    examples: "  climc disk attach data --server web --wait",
    args: |c| on_disks(c).arg(args::opt("server", "SERVER", "The server").required(true)),
    run: |cx| {
        Box::pin(async move {
            let to = Attach {
                server: cx.need("server")?.to_owned(),
            };
            generic::act(cx, "attach", json!(to)).await
        })
    },
};

const DETACH: Verb = Verb {
    name: "detach",
    about: "Take it from its server",
    examples: "",
    args: on_disks,
    run: |cx| Box::pin(generic::act(cx, "detach", json!({}))),
};

const RESIZE: Verb = Verb {
    name: "resize",
    about: "Make it larger",
    examples: "  climc disk resize data --size 40G --wait",
    args: |c| on_disks(c).arg(args::size("size", "Larger than it is").required(true)),
    run: |cx| {
        Box::pin(async move {
            let to = Resize {
                size: cx.value::<Size>("size").unwrap_or_default(),
            };
            generic::act(cx, "resize", json!(to)).await
        })
    },
};
