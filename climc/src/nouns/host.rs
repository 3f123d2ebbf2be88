//! Hosts: whether they may get new servers, and how new ones join.

use serde_json::json;
use types::api::host::NewJoinToken;

use crate::{
    args,
    failure::Failure,
    generic::{self, DELETE_NOW, LIST, SHOW},
    noun::{Cx, Done, Home, Noun, Verb},
    output::Shape,
};

pub static HOST: Noun = Noun {
    name: "host",
    about: "Machines that servers run on",
    home: Home::Region("hosts"),
    columns: &[
        "name",
        "state",
        "intent",
        "servers",
        "account",
        "zone",
        "vcpus_used",
        "vcpus",
        "memory_used:size",
        "memory:size",
        "faults",
    ],
    wide: &["id", "hypervisor", "architecture", "tags", "seen_at:age"],
    verbs: &[
        LIST,
        SHOW,
        switch("enable", "Let it take new servers", |cx| {
            Box::pin(generic::act(cx, "enable", json!({})))
        }),
        switch("disable", "Give it no new servers", |cx| {
            Box::pin(generic::act(cx, "disable", json!({})))
        }),
        switch(
            "drain",
            "Give it no new servers; in maintenance when the last is gone",
            |cx| Box::pin(generic::act(cx, "drain", json!({}))),
        ),
        JOIN_TOKEN,
        DELETE_NOW,
    ],
};

const fn switch(
    name: &'static str,
    about: &'static str,
    run: for<'a> fn(Cx<'a>) -> futures::future::LocalBoxFuture<'a, Done>,
) -> Verb {
    Verb {
        name,
        about,
        examples: "",
        args: |c| c.arg(args::keys()),
        run,
    }
}

const JOIN_TOKEN: Verb = Verb {
    name: "join-token",
    about: "Make a token that one host may join with, once",
    examples: "  climc host join-token --valid 1h --query token",
    args: |c| {
        c.arg(args::opt(
            "zone",
            "ZONE",
            "Where the host is; the first zone when absent",
        ))
        .arg(
            args::opt("valid", "TIME", "How long it can be used, 1m to 24h; 1h when absent")
                .value_parser(args::duration),
        )
    },
    run: |cx| Box::pin(join_token(cx)),
};

async fn join_token(cx: Cx<'_>) -> Done {
    let valid: Option<std::time::Duration> = cx.value("valid");
    let wanted = NewJoinToken {
        zone: cx.owned("zone"),
        valid_seconds: valid.map(|valid| u32::try_from(valid.as_secs()).unwrap_or(u32::MAX)),
    };
    let token = cx.app.client()?.join_token(&wanted).await?;
    let item = serde_json::to_value(token).map_err(|e| Failure::local("the token cannot be shown", e))?;
    cx.app.output.print(cx.noun, Shape::One, vec![item]).map(|()| 0)
}
