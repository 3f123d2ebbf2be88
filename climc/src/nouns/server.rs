//! Servers: making them, and what can be done to them.

use clap::Command;
use serde_json::json;
use types::{
    Size,
    api::server::{Create, Plan, Rebuild, Resize, Stop, Wishes},
};

use crate::{
    args,
    batch::{After, Work, each, finish},
    documents,
    failure::Failure,
    generic::{self, DELETE, LIST, SHOW},
    noun::{Cx, Done, Home, Noun, Verb},
    output::{self, Shape},
};

pub static SERVER: Noun = Noun {
    name: "server",
    about: "Virtual machines",
    home: Home::Region("servers"),
    columns: &[
        "name",
        "state",
        "power_state",
        "guest",
        "host",
        "addresses.address",
        "image",
        "flavor",
        "created_at:age",
    ],
    wide: &["id", "account", "zone", "vcpus", "memory:size", "task", "fault"],
    verbs: &[
        CREATE,
        LIST,
        SHOW,
        action(
            "start",
            "Start one or several",
            |c| args::waiting_for_guest(c.arg(args::keys())),
            |cx| Box::pin(generic::act(cx, "start", json!({}))),
        ),
        STOP,
        action(
            "reboot",
            "Restart the guest",
            |c| on_servers(c).arg(args::flag("force", "Cut the power instead of asking the guest")),
            |cx| {
                let body = json!({ "force": cx.flag("force") });
                Box::pin(generic::act(cx, "reboot", body))
            },
        ),
        action(
            "resize",
            "Give it another flavor while it is stopped",
            |c| on_servers(c).arg(args::opt("flavor", "FLAVOR", "The new flavor").required(true)),
            |cx| Box::pin(resize(cx)),
        ),
        action(
            "rebuild",
            "Make its root disk anew",
            |c| on_servers(c).arg(args::opt("image", "IMAGE", "From this image; the same when absent")),
            |cx| Box::pin(rebuild(cx)),
        ),
        CONSOLE_LOG,
        DELETE,
    ],
};

type Run = for<'a> fn(Cx<'a>) -> futures::future::LocalBoxFuture<'a, Done>;

/// A verb on servers that exist.
const fn action(name: &'static str, about: &'static str, args: fn(Command) -> Command, run: Run) -> Verb {
    Verb {
        name,
        about,
        examples: "",
        args,
        run,
    }
}

const CREATE: Verb = Verb {
    name: "create",
    about: "Make one or several",
    examples: "  climc server create web --image debian --flavor small --network lan --wait-for guest
  climc server create web --image debian --flavor small --network lan --count 10 --dry-run
  climc server create -f servers.yaml --wait",
    args: create_args,
    run: |cx| Box::pin(create(cx)),
};

const STOP: Verb = Verb {
    name: "stop",
    about: "Shut the guest down",
    examples: "  climc server stop web --wait\n  climc server stop web --force",
    args: |c| {
        on_servers(c).arg(args::flag("force", "Cut the power at once")).arg(
            args::opt(
                "grace",
                "TIME",
                "Cut the power when the guest has not shut down by then",
            )
            .value_parser(args::duration),
        )
    },
    run: |cx| Box::pin(stop(cx)),
};

const CONSOLE_LOG: Verb = Verb {
    name: "console-log",
    about: "Print the end of what the guest wrote on its console",
    examples: "  climc server console-log web --bytes 4096",
    args: |c| {
        c.arg(args::key())
            .arg(args::number("bytes", "How much of the end").default_value("65536"))
    },
    run: |cx| Box::pin(console_log(cx)),
};

fn on_servers(command: Command) -> Command {
    args::waiting(command.arg(args::keys()))
}

fn create_args(command: Command) -> Command {
    let needed = |arg: clap::Arg| arg.required_unless_present("file");
    args::waiting_for_guest(args::batch(command.arg(args::new_name())))
        .arg(needed(args::opt("image", "IMAGE", "What is on its root disk")))
        .arg(needed(args::opt("flavor", "FLAVOR", "Its size")))
        .arg(needed(args::many(
            "network",
            "NETWORK",
            "Where it gets an address; may be repeated",
        )))
        .arg(args::number("count", "So many, named NAME-1, NAME-2, ..."))
        .arg(args::opt("account", "ACCOUNT", "On this cloud account"))
        .arg(args::opt("zone", "ZONE", "In this zone"))
        .arg(args::opt("host", "HOST", "On this host"))
        .arg(args::opt("keypair", "KEYPAIR", "The SSH key that may log in"))
        .arg(args::opt("user-data", "FILE", "Given to cloud-init as it is"))
        .arg(args::size("root-disk", "Larger than the flavor's"))
        .arg(args::opt(
            "apart-from",
            "GROUP",
            "Servers of one group go to different hosts",
        ))
        .arg(args::many("require", "TAG", "Only hosts with this tag"))
        .arg(args::many("prefer", "TAG", "Hosts with this tag first"))
        .arg(args::many("avoid", "TAG", "Hosts with this tag last"))
        .arg(args::many("exclude", "TAG", "No hosts with this tag"))
        .arg(args::tags())
        .arg(args::flag("stopped", "Leave it stopped").conflicts_with("wait-for"))
        .arg(args::flag("dry-run", "Say where it would go, and change nothing"))
}

fn wanted(cx: Cx) -> Result<Create, Failure> {
    let user_data = match cx.text("user-data") {
        Some(file) => {
            Some(std::fs::read_to_string(file).map_err(|e| Failure::local(format!("`{file}` cannot be read"), e))?)
        }
        None => None,
    };
    Ok(Create {
        name: cx.need("name")?.to_owned(),
        image: cx.need("image")?.to_owned(),
        flavor: cx.need("flavor")?.to_owned(),
        networks: cx.list("network"),
        count: cx.value("count").unwrap_or(1),
        account: cx.owned("account"),
        zone: cx.owned("zone"),
        host: cx.owned("host"),
        keypair: cx.owned("keypair"),
        user_data,
        root_disk: cx.value::<Size>("root-disk"),
        apart_from: cx.owned("apart-from"),
        host_tags: Wishes {
            require: cx.list("require"),
            prefer: cx.list("prefer"),
            avoid: cx.list("avoid"),
            exclude: cx.list("exclude"),
        },
        tags: args::pairs(cx.list("tag")).collect(),
        stopped: cx.flag("stopped"),
    })
}

async fn create(cx: Cx<'_>) -> Done {
    match cx.flag("dry-run") {
        true => dry_run(cx).await,
        false => generic::create(cx, || wanted(cx)).await,
    }
}

static PLACEMENT: Noun = Noun {
    name: "placement",
    about: "",
    home: Home::Here,
    columns: &["server", "host", "why"],
    wide: &[],
    verbs: &[],
};

async fn dry_run(cx: Cx<'_>) -> Done {
    let wishes: Vec<Create> = match cx.text("file") {
        Some(file) => {
            let parsed: Result<_, _> = documents::load(file)?.into_iter().map(serde_json::from_value).collect();
            parsed.map_err(|e| Failure::usage(format!("`{file}` does not describe servers: {e}")))?
        }
        None => vec![wanted(cx)?],
    };
    let mut placements = Vec::new();
    for wish in &wishes {
        let Plan {
            placements: planned,
            explanation,
        } = cx.app.client()?.servers().plan(wish).await?;
        if planned.is_empty() {
            let error = types::Error::new(types::Kind::Capacity, format!("server `{}` fits nowhere", wish.name));
            return Err(error.because(std::io::Error::other(explanation.to_string())).into());
        }
        placements.extend(
            planned
                .iter()
                .map(|one| json!({ "server": one.server, "host": one.host, "why": one.why })),
        );
    }
    cx.app.output.print(&PLACEMENT, Shape::Many, placements).map(|()| 0)
}

async fn stop(cx: Cx<'_>) -> Done {
    let grace: Option<std::time::Duration> = cx.value("grace");
    let how = Stop {
        force: cx.flag("force"),
        timeout_seconds: grace.map(|grace| u32::try_from(grace.as_secs()).unwrap_or(u32::MAX)),
    };
    let (keys, client) = (cx.list("name"), cx.app.client()?);
    let outcomes = each(&keys, async |key: &String| {
        Ok(vec![Work::from(client.any("servers").act(key, "stop", &how).await?)])
    });
    finish(cx, outcomes.await, After::Changed).await
}

async fn resize(cx: Cx<'_>) -> Done {
    let to = Resize {
        flavor: cx.need("flavor")?.to_owned(),
    };
    generic::act(cx, "resize", json!(to)).await
}

async fn rebuild(cx: Cx<'_>) -> Done {
    generic::act(
        cx,
        "rebuild",
        json!(Rebuild {
            image: cx.owned("image")
        }),
    )
    .await
}

async fn console_log(cx: Cx<'_>) -> Done {
    let bytes: u32 = cx.value("bytes").unwrap_or(65_536);
    let log = cx.app.client()?.console_log(cx.need("name")?, u64::from(bytes)).await?;
    output::write(&log.text).map(|()| 0)
}
