//! `POST /claims`: decide on the snapshot, commit in the database, and decide again when somebody was faster.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use axum::{Json, extract::State as Shared};
use engine::{Placement, Plan, Request};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use store::Store;
use types::{Error, Result};
use utoipa::ToSchema;
use web::{Caller, Input, Problem};

use super::{
    Column, Entity, Model,
    answer::{self, Claims, Placed},
    commit,
};
use crate::{
    State, caller,
    inventory::{Inventory, rows::network},
    names::{self, Names},
    networks,
};

/// One request for each consumer, all of them placed or none.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimAsk)]
pub struct Ask {
    /// As many as `request.count`.
    pub consumers: Vec<Consumer>,
    pub request: Request,
    /// Answer the plan and claim nothing.
    #[serde(default)]
    pub dry_run: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimConsumer)]
pub struct Consumer {
    /// `server/<id>` or `disk/<id>`.
    pub consumer: String,
    /// The same token again is answered with the same claims, until they are released.
    pub token: String,
    /// Who holds each disk of the request, in its order; `consumer` holds them all when empty.
    #[serde(default)]
    pub disks: Vec<String>,
}

/// How often an ask is placed anew after it lost against another scheduler.
const ATTEMPTS: usize = 16;
const MOST_CONSUMERS: usize = 1000;
const MOST_DISKS: usize = 64;

pub async fn ask(
    Shared(state): Shared<State>,
    Caller(cx): Caller,
    Input(ask): Input<Ask>,
) -> Result<Json<Claims>, Problem> {
    caller::allowed(&cx, "create")?;
    check(&ask)?;
    Ok(Json(settle(&state, ask).await?))
}

async fn settle(state: &State, ask: Ask) -> Result<Claims> {
    let asked = Instant::now();
    let (request, networks) = networks::settle(&state.store, ask.request).await?;
    let mut inventory = state.inventory.lock().await;
    inventory.refresh().await?;
    for _ in 0..ATTEMPTS {
        let known = known(&state.store, &ask.consumers).await?;
        answer::learn(&mut inventory, known.values().flatten()).await?;
        let missing: Vec<&Consumer> = ask.consumers.iter().filter(|c| !known.contains_key(&c.token)).collect();
        let request = Request {
            count: u32::try_from(missing.len()).unwrap_or(u32::MAX),
            ..request.clone()
        };
        let placements = match missing.is_empty() {
            true => Vec::new(),
            false => place(state, &mut inventory, &request, &networks, asked).await?,
        };
        let claims = claims(&inventory, &ask.consumers, &known, &request, &placements)?;
        if ask.dry_run || missing.is_empty() {
            return Ok(claims);
        }
        if commit::commit(&state.store, &missing, &request, &placements).await? {
            for placement in &placements {
                inventory.charge(placement, &request.demand(placement));
            }
            return Ok(claims);
        }
        inventory
            .reread(&placements.iter().map(|placement| placement.host).collect())
            .await?;
    }
    Err(Error::unavailable("other schedulers were faster each time: try again").code("placement_contended"))
}

/// Places on the snapshot. That nothing fits is believed only of everything as it was after the ask came in.
async fn place(
    state: &State,
    inventory: &mut Inventory,
    request: &Request,
    networks: &[network::Model],
    asked: Instant,
) -> Result<Vec<Placement>> {
    let mut plan = inventory.place(request);
    if matches!(plan, Plan::NoFit(_)) && !inventory.is_newer(asked) {
        inventory.reload(asked).await?;
        plan = inventory.place(request);
    }
    match plan {
        Plan::Placed(placements) => Ok(placements),
        Plan::NoFit(explanation) => {
            let names = Names::read(&state.store, networks).await?;
            Err(names::no_host_fits(&names.put_into(explanation)))
        }
    }
}

/// The claims there are already, by token.
async fn known(store: &Store, consumers: &[Consumer]) -> Result<BTreeMap<String, Vec<Model>>> {
    let tokens = consumers.iter().map(|consumer| consumer.token.as_str());
    let select = Entity::find()
        .filter(Column::Token.is_in(tokens))
        .order_by_asc(Column::Slot);
    let mut known: BTreeMap<String, Vec<Model>> = BTreeMap::new();
    for row in store.all(select).await? {
        known.entry(row.token.clone()).or_default().push(row);
    }
    for consumer in consumers {
        let first = known.get(&consumer.token).and_then(|rows| rows.first());
        if let Some(other) = first.filter(|row| row.slot == 0 && row.consumer != consumer.consumer) {
            let text = format!(
                "this token has claimed for {}, not for {}",
                other.consumer, consumer.consumer
            );
            return Err(Error::conflict(text).code("token_reused"));
        }
    }
    Ok(known)
}

fn claims(
    inventory: &Inventory,
    consumers: &[Consumer],
    known: &BTreeMap<String, Vec<Model>>,
    request: &Request,
    placements: &[Placement],
) -> Result<Claims> {
    let snapshot = inventory.snapshot();
    let mut fresh = placements.iter();
    let mut placed = Vec::with_capacity(consumers.len());
    for consumer in consumers {
        placed.push(match (known.get(&consumer.token), fresh.as_slice().first()) {
            (Some(rows), _) => Placed::before(snapshot, consumer, rows)?,
            (None, Some(placement)) => {
                fresh.next();
                Placed::now(snapshot, consumer, placement)?
            }
            (None, None) => return Err(Error::broken("the plan has fewer places than consumers")),
        });
    }
    let explanation = match placements.is_empty() {
        true => "claimed before".to_owned(),
        false => names::sentence(&engine::explain(snapshot, request)),
    };
    Ok(Claims {
        placements: placed,
        explanation,
    })
}

fn check(ask: &Ask) -> Result<()> {
    let (consumers, request) = (&ask.consumers, &ask.request);
    if consumers.len() != request.count as usize || !(1..=MOST_CONSUMERS).contains(&consumers.len()) {
        return Err(Error::invalid(format!(
            "{} consumers and a count of {}: both must be the same, from 1 to {MOST_CONSUMERS}",
            consumers.len(),
            request.count
        )));
    }
    if request.disks.len() > MOST_DISKS {
        return Err(Error::invalid(format!("a placement has at most {MOST_DISKS} disks")));
    }
    let tokens: BTreeSet<&str> = consumers.iter().map(|consumer| consumer.token.as_str()).collect();
    if tokens.len() != consumers.len() || !tokens.iter().all(|token| (1..=200).contains(&token.len())) {
        return Err(Error::invalid(
            "each consumer needs a token of its own, of 1 to 200 characters",
        ));
    }
    for consumer in consumers {
        if !consumer.disks.is_empty() && consumer.disks.len() != request.disks.len() {
            let text = format!("{} names another number of disks than the request", consumer.consumer);
            return Err(Error::invalid(text));
        }
        let mut named = std::iter::once(&consumer.consumer).chain(&consumer.disks);
        if let Some(odd) = named.find(|name| !is_consumer(name)) {
            return Err(Error::invalid(format!(
                "`{odd}` is not a consumer: write for example server/<id>"
            )));
        }
    }
    Ok(())
}

/// `noun/id`.
fn is_consumer(name: &str) -> bool {
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    name.len() <= 200
        && name
            .split_once('/')
            .is_some_and(|(noun, id)| is_word(noun) && is_word(id))
}
