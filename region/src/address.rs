//! Addresses in use: taken in the transaction that creates a server, given back in the one that ends it.

use std::collections::HashSet;

use axum::{
    Json, Router,
    extract::{Path, State as Get},
    routing::get,
};
use store::{
    Tx,
    sea_orm::{
        self,
        ActiveValue::Set,
        ColumnTrait, QueryFilter, QueryOrder, QuerySelect,
        entity::prelude::*,
        sea_query::{Expr, ExprTrait},
    },
};
use types::{
    AddressId, Error, Kind, NetworkId, Result, ServerId, Timestamp,
    api::{Items, network as api},
    states,
};
use web::{Caller, Problem, docs::Operation, query::Plain};

use crate::{
    Routes, State,
    network::{self, range::Range},
    server,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "address")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AddressId,
    pub network_id: NetworkId,
    pub number: i64,
    pub address: String,
    pub mac: String,
    pub server_id: Option<ServerId>,
    pub slot: i64,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

/// How many neighbours are looked at in one query for a gap.
const WINDOW: u64 = 256;

/// Takes a free address of `network` for a server's card in `slot`.
///
/// Errors: `Capacity` when the network is full, `Conflict` when it is being deleted.
pub async fn take(tx: &Tx, network: NetworkId, server: ServerId, slot: i64) -> Result<Model> {
    let row = tx.lock(network::Entity::find_by_id(network)).await?;
    let row = row.ok_or_else(|| Error::not_found("network", network))?;
    if row.state != states::Network::Available {
        return Err(Error::conflict(format!("network `{}` is {}", row.name, row.state)).code("wrong_state"));
    }
    let range = Range::parse(&row.cidr, Some(&row.gateway))?;
    let number = match row.used < row.total {
        true => gap(tx, &row, &range).await?,
        false => None,
    };
    let Some(number) = number else {
        let message = format!(
            "network `{}` ({}) has no free address: all {} are in use",
            row.name, row.cidr, row.total
        );
        return Err(Error::new(Kind::Capacity, message)
            .code("no_address")
            .on("network", row.id));
    };
    let hint = if number >= range.last() {
        range.first()
    } else {
        number + 1
    };
    count(tx, network, 1, Some(hint)).await?;
    insert(tx, network, number, Some(server), slot).await
}

/// The first free number from the hint on, around the end if need be. The network's row is locked.
async fn gap(tx: &Tx, row: &network::Model, range: &Range) -> Result<Option<i64>> {
    for (from, to) in [(row.hint, range.last()), (range.first(), row.hint - 1)] {
        let mut next = from;
        while next <= to {
            let used = Entity::find()
                .filter(Column::NetworkId.eq(row.id))
                .filter(Column::Number.gte(next))
                .order_by_asc(Column::Number)
                .limit(WINDOW);
            let used = tx.all(used).await?;
            let end = if (used.len() as u64) < WINDOW {
                to
            } else {
                used.last().map_or(to, |row| Ord::min(row.number, to))
            };
            let used: HashSet<_> = used.into_iter().map(|row| row.number).collect();
            if let Some(free) = (next..=end).find(|number| !used.contains(number)) {
                return Ok(Some(free));
            }
            next = end + 1;
        }
    }
    Ok(None)
}

/// The gateway is in use from the beginning, by nobody.
pub async fn keep_gateway(tx: &Tx, network: &network::Model, range: &Range) -> Result<()> {
    insert(tx, network.id, Range::number(range.gateway()), None, 0)
        .await
        .map(drop)
}

async fn insert(tx: &Tx, network: NetworkId, number: i64, server: Option<ServerId>, slot: i64) -> Result<Model> {
    let mac = free_mac(tx).await?;
    tx.insert(ActiveModel {
        id: Set(AddressId::new()),
        network_id: Set(network),
        number: Set(number),
        address: Set(Range::address(number).to_string()),
        mac: Set(mac),
        server_id: Set(server),
        slot: Set(slot),
        created_at: Set(Timestamp::now()),
    })
    .await
}

/// A card's address in the range qemu uses. Two transactions that draw the same one at once: the table refuses one.
async fn free_mac(tx: &Tx) -> Result<String> {
    loop {
        let tail: [u8; 3] = rand::random();
        let mac = format!("52:54:00:{:02x}:{:02x}:{:02x}", tail[0], tail[1], tail[2]);
        if tx
            .one(Entity::find().filter(Column::Mac.eq(mac.as_str())))
            .await?
            .is_none()
        {
            return Ok(mac);
        }
    }
}

/// Gives back all addresses of a server; how many.
pub async fn give_back(tx: &Tx, server: ServerId) -> Result<u64> {
    let rows = tx.all(Entity::find().filter(Column::ServerId.eq(server))).await?;
    for row in &rows {
        if tx.delete(Entity::delete_many().filter(Column::Id.eq(row.id))).await? == 1 {
            count(tx, row.network_id, -1, None).await?;
        }
    }
    Ok(rows.len() as u64)
}

async fn count(tx: &Tx, network: NetworkId, change: i64, hint: Option<i64>) -> Result<()> {
    use network::Column as C;
    let mut update = network::Entity::update_many()
        .col_expr(C::Used, Expr::col(C::Used).add(change))
        .filter(C::Id.eq(network));
    if let Some(hint) = hint {
        update = update.col_expr(C::Hint, Expr::value(hint));
    }
    tx.update(update).await.map(drop)
}

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod;
    let about = "The addresses of a network that are in use.";
    let operation = Operation::new(
        HttpMethod::Get,
        "/networks/{key}/addresses",
        "network_addresses",
        "network",
        about,
    )
    .lists::<api::Address>();
    (
        Router::new().route("/networks/{key}/addresses", get(list)),
        vec![operation],
    )
}

async fn list(
    Get(state): Get<State>,
    Caller(cx): Caller,
    _: Plain,
    Path(key): Path<String>,
) -> Result<Json<Items<api::Address>>, Problem> {
    let network = state.store.find::<network::Entity>(&cx, "get", &key).await?;
    let rows = Entity::find()
        .filter(Column::NetworkId.eq(network.id))
        .filter(Column::ServerId.is_not_null())
        .order_by_asc(Column::Number);
    let rows = state.store.all(rows).await?;
    let ids: Vec<_> = rows.iter().filter_map(|row| row.server_id).collect();
    let servers = state
        .store
        .all(server::Entity::find().filter(server::Column::Id.is_in(ids)))
        .await?;
    let name = |id| {
        servers
            .iter()
            .find(|server| Some(server.id) == id)
            .map(|server| server.name.clone())
    };
    let items = rows
        .into_iter()
        .map(|row| api::Address {
            id: row.id,
            server: name(row.server_id),
            address: row.address,
            mac: row.mac,
            server_id: row.server_id,
            created_at: row.created_at,
        })
        .collect();
    Ok(Json(Items { items, next: None }))
}
