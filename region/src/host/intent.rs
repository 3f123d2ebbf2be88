//! What an operator wants of a host: enabled, drained of servers, or in maintenance.

use auth::Cx;
use store::{
    Found, Store, Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use types::{Result, api::host::Intent, states};
use web::{Made, docs::Nothing};

use super::{Column, Entity, INVENTORY, Model};
use crate::{State, server, swap::swap};

pub async fn enable(state: State, _: Cx, found: Found<Entity>, _: Nothing) -> Result<(Tx, Made<Entity>)> {
    want(state, found, Intent::Enabled).await
}

pub async fn disable(state: State, _: Cx, found: Found<Entity>, _: Nothing) -> Result<(Tx, Made<Entity>)> {
    want(state, found, Intent::Disabled).await
}

pub async fn drain(state: State, _: Cx, found: Found<Entity>, _: Nothing) -> Result<(Tx, Made<Entity>)> {
    want(state, found, Intent::Draining).await
}

/// Writes the intent; the state follows at once where the table allows it, else with the next observation.
async fn want(state: State, found: Found<Entity>, intent: Intent) -> Result<(Tx, Made<Entity>)> {
    let row = found.into_inner();
    // Until this is committed a server may still be placed there: that it is empty is for the next observation to see.
    let next = follow(row.state, intent, &row.faults.0, Load::Carrying);
    let mut tx = state.store.begin().await?;
    let row: Model = swap::<Entity>(&tx, row.id, row.version, |update| {
        update
            .col_expr(Column::Intent, Expr::value(intent))
            .col_expr(Column::State, Expr::value(next))
    })
    .await?;
    tx.wake(INVENTORY);
    Ok((tx, Made::now(row)))
}

/// Whether there are servers on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    Empty,
    Carrying,
}

/// A server counts from its claim on, which is before its row names the host, until its row is gone.
pub async fn load(store: &Store, host: &Model) -> Result<Load> {
    let servers = server::Entity::find()
        .filter(server::Column::HostId.eq(host.id))
        .filter(server::Column::State.ne(states::Server::Deleted));
    let is_empty = host.vcpus_used == 0 && store.one(servers).await?.is_none();
    Ok(if is_empty { Load::Empty } else { Load::Carrying })
}

/// The state a host that answers should be in.
pub fn follow(now: states::Host, intent: Intent, faults: &[String], load: Load) -> states::Host {
    use states::Host::{Degraded, Draining, Lost, Maintenance, Ready};
    if now == Lost {
        return Lost;
    }
    let wanted: &[states::Host] = match (intent, load) {
        (Intent::Enabled, _) if faults.is_empty() => &[Ready],
        (Intent::Enabled, _) => &[Degraded],
        (Intent::Draining, Load::Carrying) => &[Draining],
        (Intent::Draining, Load::Empty) | (Intent::Disabled, _) => &[Maintenance, Draining],
    };
    wanted
        .iter()
        .copied()
        .find(|next| *next == now || now.may_become(*next))
        .unwrap_or(now)
}
