//! Creating servers: one transaction writes rows, quota, addresses and tasks; a task per server makes it.

use auth::Cx;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State as Get},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use contract::{
    MachineSpec,
    compute::{Nic, Seed, Shape},
    network::Lease,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    Tx,
    sea_orm::{ActiveValue::Set, EntityTrait, sea_query::Expr},
};
use task::{Outcome, StepKind, TaskCx, Workflow};
use types::{
    DiskId, ExternalRef, Json as JsonColumn, NetworkId, Result, ServerId, Size, TaskId, Timestamp,
    api::{Accepted, Items, server as api},
    states::{self, Power},
};
use web::{App, Caller, Problem, docs::Operation, noun::Key, query::Wishes};

use super::{
    Entity, Model,
    fetch::{Ready, fetch},
    settle,
    steps::*,
    target,
};
use crate::{
    Routes, State, address, disk,
    flavor::taken,
    images::Image,
    network::{self, ensure::EnsureNetwork},
    swap::set,
};

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod;
    let about = "Creates servers: one, or `count` of them in one decision.";
    let operation = Operation::new(HttpMethod::Post, "/servers", "server_create", "server", about)
        .header(
            "Idempotency-Key",
            "sending the same key again gives the same answer and makes nothing new",
        )
        .query("wait", "answer when all tasks are over, or after this long: `30s`")
        .query("dry_run", "true: say where they would go, and change nothing")
        .takes::<api::Create>()
        .answers::<api::Plan>("200", "the plan of a dry run")
        .answers::<AcceptedServers>("202", "each server with the task that makes it");
    (Router::new().route("/servers", post(create)), vec![operation])
}

/// What a create of servers answers.
#[derive(Serialize, utoipa::ToSchema)]
struct AcceptedServers {
    items: Vec<AcceptedServer>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AcceptedServer {
    item: api::View,
    task: TaskId,
}

async fn create(
    Get(state): Get<State>,
    Caller(cx): Caller,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Bytes,
) -> Result<Response, Problem> {
    let wishes = Wishes::parse(raw.as_deref())?;
    web::noun::allowed::<Entity>(&cx, "create")?;
    let key = Key::of::<Entity>(&cx, &headers, &body)?;
    if let Some(answer) = key.answered(state.store()).await? {
        return Ok(answer);
    }
    let made = make(&state, &cx, &key, &body, wishes).await;
    key.settle(state.store(), made).await
}

async fn make(state: &State, cx: &Cx, key: &Key, body: &Bytes, wishes: Wishes) -> Result<Response, Problem> {
    let ready = fetch(state, cx, web::input::parse(body)?).await?;
    let plan = plan(state, cx, &ready).await?;
    if wishes.dry_run {
        return Ok(Json(plan).into_response());
    }
    let mut tx = state.store.begin().await?;
    let mut made = Vec::new();
    for name in &ready.names {
        made.push(insert(cx, &mut tx, &ready, name).await?);
    }
    let answer = first_answer(state, &made).await?;
    key.remember(&tx, StatusCode::ACCEPTED, &answer).await?;
    tx.commit().await?;
    let Some(limit) = wishes.wait else {
        return Ok((StatusCode::ACCEPTED, Json(answer)).into_response());
    };
    let tasks: Vec<_> = made.iter().map(|made| made.task).collect();
    let waits = tasks
        .iter()
        .map(|task| web::accepted::wait(&state.store, Some(*task), Some(limit)));
    futures::future::try_join_all(waits).await?;
    let mut fresh = Vec::new();
    for Made { row, .. } in made {
        fresh.extend(state.store.one(Entity::find_by_id(row.id)).await?);
    }
    Ok((StatusCode::ACCEPTED, Json(self::answer(state, fresh, &tasks).await?)).into_response())
}

/// One server as it was written, and what its view would read from rows that nobody else sees yet.
struct Made {
    row: Model,
    task: TaskId,
    disk: DiskId,
    addresses: Vec<api::Address>,
}

/// The answer before the commit, so that a repeated request is given the same.
async fn first_answer(state: &State, made: &[Made]) -> Result<Value> {
    let rows = made.iter().map(|made| made.row.clone()).collect();
    let views = super::view::views(&state.store, rows).await?;
    let items = views
        .into_iter()
        .zip(made)
        .map(|(view, made)| Accepted {
            item: api::View {
                task: Some(made.task),
                disks: vec![made.disk],
                addresses: made.addresses.clone(),
                ..view
            },
            task: Some(made.task),
        })
        .collect();
    web::noun::json(&Items { items, next: None })
}

async fn answer(state: &State, rows: Vec<Model>, tasks: &[TaskId]) -> Result<Value> {
    let views = super::view::views(&state.store, rows).await?;
    let items = views
        .into_iter()
        .zip(tasks)
        .map(|(item, task)| Accepted {
            item,
            task: Some(*task),
        })
        .collect();
    web::noun::json(&Items { items, next: None })
}

/// Asks the scheduler without claiming, so that what fits nowhere is refused before anything is written.
async fn plan(state: &State, cx: &Cx, ready: &Ready) -> Result<api::Plan> {
    let consumers: Vec<_> = ready
        .names
        .iter()
        .map(|name| json!({ "consumer": format!("server/{name}"), "token": name }))
        .collect();
    let mut request = ready.ask.clone();
    request["count"] = json!(ready.names.len());
    let body = json!({ "consumers": consumers, "request": request, "dry_run": true });
    let claims: Value = state.scheduler.post(cx.request_id(), "/claims", &body).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let placements = claims["placements"].as_array().cloned().unwrap_or_default();
    let placements = ready
        .names
        .iter()
        .zip(placements)
        .map(|(server, place)| api::Planned {
            server: server.clone(),
            host: text(&place["host_name"]),
            why: text(&place["why"]),
        })
        .collect();
    Ok(api::Plan {
        placements,
        explanation: claims["explanation"].clone(),
    })
}

/// One server with everything that must exist together with it.
async fn insert(cx: &Cx, tx: &mut Tx, ready: &Ready, name: &str) -> Result<Made> {
    let (project, _) = cx.project()?;
    let root_gib = ready.root.gib_up();
    let memory = i64::try_from(ready.flavor.memory.as_mib()).unwrap_or(i64::MAX);
    tx.charge(
        project,
        &[
            ("servers", 1),
            ("vcpus", ready.flavor.vcpus),
            ("memory_mib", memory),
            ("disks", 1),
            ("disk_gib", root_gib),
        ],
    )
    .await?;
    let row = tx
        .insert(server_row(cx, ready, name)?)
        .await
        .map_err(|e| taken(e, "server", name))?;
    let root = tx.insert(root_row(&row, ready)).await?;
    let (mut nics, mut addresses) = (Vec::new(), Vec::new());
    for (slot, network) in ready.networks.iter().enumerate() {
        let address = address::take(tx, network.id, row.id, i64::try_from(slot).unwrap_or(0)).await?;
        addresses.push(api::Address {
            network: network.name.clone(),
            network_id: network.id,
            address: address.address.clone(),
            mac: address.mac.clone(),
        });
        nics.push(Card {
            network: network.id,
            mac: address.mac,
            address: address.address,
        });
    }
    let seed = seed(&row, guest_network(&ready.networks, &nics));
    let workflow = CreateServer {
        server: row.id,
        name: name.to_owned(),
        disk: root.id,
        root: ready.root,
        shape: Shape {
            vcpus: u32::try_from(row.vcpus).unwrap_or(u32::MAX),
            memory: row.memory,
        },
        nics,
        image: ready.image.clone(),
        seed,
        ask: ready.ask.clone(),
        start: !ready.input.stopped,
    };
    let task = task::start(cx, tx, &workflow, target(&row)).await?;
    web::noun::announce::<Entity>(cx, tx, &row, "created").await?;
    let disk = root.id;
    Ok(Made {
        row,
        task,
        disk,
        addresses,
    })
}

fn server_row(cx: &Cx, ready: &Ready, name: &str) -> Result<super::ActiveModel> {
    let (project, domain) = cx.project()?;
    let now = Timestamp::now();
    Ok(super::ActiveModel {
        id: Set(ServerId::new()),
        name: Set(name.to_owned()),
        project_id: Set(project.clone()),
        domain_id: Set(domain.clone()),
        state: Set(states::Server::Scheduling),
        fault: Set(None),
        power_state: Set(Power::Unknown),
        power_seen_at: Set(None),
        commanded_at: Set(now),
        account_id: Set(None),
        host_id: Set(None),
        external_id: Set(None),
        image_id: Set(ready.image.id.parse()?),
        image_name: Set(ready.image.name.clone()),
        flavor_id: Set(ready.flavor.id),
        flavor_name: Set(ready.flavor.name.clone()),
        vcpus: Set(ready.flavor.vcpus),
        memory: Set(ready.flavor.memory),
        keypair_name: Set(ready.keypair.as_ref().map(|key| key.name.clone())),
        public_key: Set(ready.keypair.as_ref().map(|key| key.public_key.clone())),
        user_data: Set(ready.input.user_data.clone()),
        apart_from: Set(ready.input.apart_from.clone()),
        tags: Set(JsonColumn(ready.input.tags.clone())),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    })
}

fn root_row(server: &Model, ready: &Ready) -> disk::ActiveModel {
    let id = DiskId::new();
    disk::ActiveModel {
        id: Set(id),
        name: Set(format!(
            "{}-{}",
            server.name.chars().take(30).collect::<String>(),
            &id.to_string()["disk-".len()..]
        )),
        project_id: Set(server.project_id.clone()),
        domain_id: Set(server.domain_id.clone()),
        state: Set(states::Disk::Creating),
        fault: Set(None),
        size: Set(ready.root),
        root: Set(true),
        slot: Set(0),
        server_id: Set(Some(server.id)),
        account_id: Set(None),
        host_id: Set(None),
        storage_id: Set(None),
        external_id: Set(None),
        tags: Set(JsonColumn(Default::default())),
        created_at: Set(server.created_at),
        updated_at: Set(server.created_at),
        version: Set(1),
    }
}

fn seed(row: &Model, network_config: Option<String>) -> Seed {
    Seed {
        instance_id: row.id.to_string(),
        hostname: row.name.clone(),
        ssh_keys: row.public_key.iter().cloned().collect(),
        user_data: row.user_data.clone(),
        network_config,
    }
}

/// Netplan version 2 for guests with a card on a bridge: nobody there hands out our addresses. None where DHCP does.
fn guest_network(networks: &[network::Model], cards: &[Card]) -> Option<String> {
    networks.iter().find(|network| network.bridge.is_some())?;
    let mut ethernets = serde_json::Map::new();
    for (slot, (network, card)) in networks.iter().zip(cards).enumerate() {
        let mut settings = json!({ "match": { "macaddress": card.mac } });
        match network.bridge {
            None => settings["dhcp4"] = json!(true),
            Some(_) => {
                let prefix = network.cidr.split('/').nth(1).unwrap_or("24");
                settings["addresses"] = json!([format!("{}/{prefix}", card.address)]);
                if slot == 0 {
                    settings["routes"] = json!([{ "to": "default", "via": network.gateway }]);
                }
                let dns = if network.dns.is_empty() {
                    vec![network.gateway.clone()]
                } else {
                    network.dns.0.clone()
                };
                settings["nameservers"] = json!({ "addresses": dns });
            }
        }
        ethernets.insert(format!("nic{slot}"), settings);
    }
    // JSON is YAML too.
    Some(json!({ "version": 2, "ethernets": ethernets }).to_string())
}

/// A network card before it exists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    pub network: NetworkId,
    pub mac: String,
    pub address: String,
}

#[derive(Serialize, Deserialize)]
pub struct CreateServer {
    server: ServerId,
    name: String,
    disk: DiskId,
    root: Size,
    shape: Shape,
    nics: Vec<Card>,
    image: Image,
    seed: Seed,
    ask: Value,
    start: bool,
}

impl Workflow for CreateServer {
    const NAME: &'static str = "server-create";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let placed = cx
            .step(ClaimHost {
                server: self.server,
                disk: self.disk,
                ask: self.ask.clone(),
            })
            .await?;
        let image = self.image.clone();
        let image = cx
            .step(StageImage {
                account: placed.account,
                host: placed.host_ref.clone(),
                image,
            })
            .await?;
        let mut nics = Vec::new();
        for card in &self.nics {
            nics.push(self.connect(cx, &placed, card).await?);
        }
        let volume = cx.step(self.root_volume(&placed, image)).await?;
        let account = placed.account;
        let spec = self.spec(&placed, volume, nics);
        let machine = cx
            .step(DefineServer {
                server: self.server,
                account,
                spec,
            })
            .await?;
        if self.start {
            cx.step(PowerOn {
                account,
                machine: machine.clone(),
            })
            .await?;
            cx.step(AwaitPower {
                account,
                machine,
                power: Power::On,
            })
            .await?;
        }
        Ok(())
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let (disk_state, next, fault) = match outcome.error() {
            None if self.start => (states::Disk::InUse, states::Server::Running, None),
            None => (states::Disk::InUse, states::Server::Stopped, None),
            Some(error) => (states::Disk::Failed, states::Server::Failed, Some(error.chain())),
        };
        if outcome.error().is_some() {
            address::give_back(tx, self.server).await?;
        }
        set::<disk::Entity>(tx, self.disk, |u| {
            u.col_expr(disk::Column::State, Expr::value(disk_state))
        })
        .await?;
        settle::rest(cx, tx, self.server, next, fault).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![
            ClaimHost,
            StageImage,
            EnsureNetwork,
            LeaseAddress,
            MakeVolume,
            DefineServer,
            PowerOn,
            AwaitPower
        ]
    }
}

impl CreateServer {
    async fn connect(&self, cx: &TaskCx, placed: &Placed, card: &Card) -> Result<Nic> {
        let (account, host) = (placed.account, placed.host_ref.clone());
        let network = cx
            .step(EnsureNetwork {
                network: card.network,
                account,
                host,
            })
            .await?;
        let lease = Lease {
            mac: card.mac.clone(),
            address: card.address.clone(),
            hostname: self.name.clone(),
        };
        cx.step(LeaseAddress {
            account,
            network: network.clone(),
            lease,
        })
        .await?;
        Ok(Nic {
            network,
            mac: card.mac.clone(),
            address: Some(card.address.clone()),
        })
    }

    fn root_volume(&self, placed: &Placed, image: ExternalRef) -> MakeVolume {
        MakeVolume {
            disk: self.disk,
            account: placed.account,
            host: placed.host_ref.clone(),
            storage: placed.storage_name.clone(),
            name: self.disk.to_string(),
            size: self.root,
            image: Some(image),
        }
    }

    fn spec(&self, placed: &Placed, volume: ExternalRef, nics: Vec<Nic>) -> MachineSpec {
        MachineSpec {
            // The server's id, since two projects may use one name.
            name: self.server.to_string(),
            place: crate::clouds::place(&placed.host_ref, Some(&placed.storage_name)),
            shape: self.shape,
            disks: vec![volume],
            nics,
            seed: self.seed.clone(),
            tags: vec![("isobar-server".to_owned(), self.name.clone())],
        }
    }
}
