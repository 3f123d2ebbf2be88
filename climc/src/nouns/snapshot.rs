//! Snapshots of disks.

use serde_json::json;
use types::api::snapshot::Create;

use crate::{
    args,
    failure::Failure,
    generic::{self, DELETE, LIST, SHOW},
    noun::{Cx, Home, Noun, Verb},
};

pub static SNAPSHOT: Noun = Noun {
    name: "snapshot",
    about: "Disks as they once were",
    home: Home::Region("snapshots"),
    columns: &["name", "state", "disk_id", "size:size", "created_at:age"],
    wide: &["id", "task", "fault"],
    verbs: &[CREATE, LIST, SHOW, REVERT, DELETE],
};

const CREATE: Verb = Verb {
    name: "create",
    about: "Keep a disk as it is now",
    examples: "  climc snapshot create before-upgrade --disk data --wait",
    args: |c| {
        let disk = args::opt("disk", "DISK", "The disk").required_unless_present("file");
        args::waiting(args::batch(c.arg(args::new_name()))).arg(disk)
    },
    run: |cx| Box::pin(generic::create(cx, move || wanted(cx))),
};

fn wanted(cx: Cx) -> Result<Create, Failure> {
    Ok(Create {
        name: cx.need("name")?.to_owned(),
        disk: cx.need("disk")?.to_owned(),
    })
}

const REVERT: Verb = Verb {
    name: "revert",
    about: "Put the disk back to how it was",
    examples: "  climc snapshot revert before-upgrade --wait",
    args: |c| args::waiting(c.arg(args::keys())),
    run: |cx| Box::pin(generic::act(cx, "revert", json!({}))),
};
