//! Networks and the addresses in them.

use types::api::network::Create;

use crate::{
    args,
    failure::Failure,
    generic::{self, DELETE, LIST, SHOW},
    noun::{Cx, Done, Home, Noun, Verb},
    output::Shape,
};

pub static NETWORK: Noun = Noun {
    name: "network",
    about: "Ranges of addresses that servers get theirs from",
    home: Home::Region("networks"),
    columns: &["name", "state", "cidr", "gateway", "used", "total", "created_at:age"],
    wide: &["id", "bridge", "dns", "task", "fault"],
    verbs: &[CREATE, LIST, SHOW, ADDRESSES, DELETE],
};

const CREATE: Verb = Verb {
    name: "create",
    about: "Make one",
    examples: "  climc network create lan --cidr 10.20.0.0/24 --wait\n  climc network create office --cidr 192.168.7.0/24 --bridge br0",
    args: |c| {
        args::waiting(args::batch(c.arg(args::new_name())))
            .arg(args::opt("cidr", "CIDR", "The range, for example 10.20.0.0/24").required_unless_present("file"))
            .arg(args::opt("gateway", "ADDRESS", "The first address when absent"))
            .arg(args::opt(
                "bridge",
                "NAME",
                "An existing bridge of the hosts; NAT when absent",
            ))
            .arg(args::many(
                "dns",
                "ADDRESS",
                "A name server for guests; may be repeated",
            ))
            .arg(args::tags())
    },
    run: |cx| Box::pin(generic::create(cx, move || wanted(cx))),
};

fn wanted(cx: Cx) -> Result<Create, Failure> {
    Ok(Create {
        name: cx.need("name")?.to_owned(),
        cidr: cx.need("cidr")?.to_owned(),
        gateway: cx.owned("gateway"),
        bridge: cx.owned("bridge"),
        dns: cx.list("dns"),
        tags: args::pairs(cx.list("tag")).collect(),
    })
}

const ADDRESSES: Verb = Verb {
    name: "addresses",
    about: "List the addresses in use",
    examples: "  climc network addresses lan -o csv",
    args: |c| c.arg(args::key()),
    run: |cx| Box::pin(addresses(cx)),
};

static ADDRESS: Noun = Noun {
    name: "address",
    about: "",
    home: Home::Here,
    columns: &["address", "mac", "server", "created_at:age"],
    wide: &["id", "server_id"],
    verbs: &[],
};

async fn addresses(cx: Cx<'_>) -> Done {
    let networks = cx.app.client()?.any("networks");
    let addresses = networks.below::<isobar_sdk::Any>(cx.need("name")?, "addresses");
    let items = addresses.list(isobar_sdk::Query::new().whole()).all().await?;
    cx.app.output.print(&ADDRESS, Shape::Many, items).map(|()| 0)
}
