//! Servers: `/machines`.

use axum::{
    body::Bytes,
    extract::{Path, Query, State as In},
};
use contract::{Error, ExternalRef, Machine, MachineSpec, Token, compute::Shape};
use serde::Deserialize;

use super::{Answer, At, Failure, Id, parse};
use crate::{
    agent::node::{self, Node},
    wire::{Create, How, Listing, Other},
};

pub async fn machines(In(at): At) -> Answer<Listing<Machine>> {
    at.read(Node::machines).await
}

pub async fn machine(In(at): At, Path(id): Id) -> Answer<Machine> {
    at.read(move |node| node.machine(node::parse("server", &id)?)).await
}

pub async fn machine_of(In(at): At, Path(token): Id) -> Answer<Option<Machine>> {
    at.read(move |node| node.machine_of(&Token::new(token))).await
}

pub async fn create_machine(In(at): At, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<MachineSpec> = parse(&body)?;
    let mut objects = vec![at.node.reference(node::id("machine", &create.token)?).to_string()];
    objects.push(format!("name {}", create.spec.name));
    objects.extend(create.spec.disks.iter().map(ToString::to_string));
    objects.extend(create.spec.nics.iter().map(|nic| nic.network.to_string()));
    at.change("create machine", objects, move |node| {
        node.create_machine(&create.spec, &create.token)
    })
    .await
}

pub async fn delete_machine(In(at): At, Path(id): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("delete machine", objects, move |node| {
        match node::parse("server", &id) {
            Ok(id) => node.delete_machine(id),
            Err(_) => Ok(()),
        }
    })
    .await
}

pub async fn act(In(at): At, Path((id, verb)): Path<(String, String)>, body: Bytes) -> Answer<()> {
    let uuid = node::parse("server", &id)?;
    let own = at.node.reference(&id).to_string();
    match verb.as_str() {
        "start" => at.change("start", vec![own], move |node| node.start(uuid)).await,
        "stop" => {
            let how = parse::<How>(&body)?.how;
            at.change("stop", vec![own], move |node| node.stop(uuid, how)).await
        }
        "reboot" => {
            let how = parse::<How>(&body)?.how;
            at.change("reboot", vec![own], move |node| node.reboot(uuid, how)).await
        }
        "resize" => {
            let shape: Shape = parse(&body)?;
            at.change("resize", vec![own], move |node| node.resize(uuid, shape))
                .await
        }
        "attach" | "detach" => {
            let other: Other = parse(&body)?;
            let objects = vec![own, other.id.to_string()];
            let work = if verb == "attach" { Node::attach } else { Node::detach };
            let what = if verb == "attach" { "attach" } else { "detach" };
            at.change(what, objects, move |node| {
                work(node, uuid, node.local_uuid("disk", &other.id)?)
            })
            .await
        }
        _ => Err(Failure(Error::not_found("action", verb))),
    }
}

#[derive(Deserialize)]
pub struct Tail {
    limit: usize,
}

pub async fn console(In(at): At, Path(id): Id, Query(tail): Query<Tail>) -> Answer<String> {
    at.read(move |node| node.console_log(node::parse("server", &id)?, tail.limit))
        .await
}
