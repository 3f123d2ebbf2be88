//! What an operator wants of a host: enabled, drained of servers, or in maintenance.

use std::{fmt, str::FromStr};

use auth::Cx;
use store::{
    Found, Tx,
    sea_orm::{self, sea_query::Expr},
};
use types::{Error, Result, states};
use web::{Made, docs::Nothing};

use super::{Column, Entity, INVENTORY, Model};
use crate::{State, swap::swap};

#[derive(Clone, Copy, Debug, PartialEq, Eq, sea_orm::DeriveValueType)]
#[sea_orm(value_type = "String")]
pub enum Intent {
    Enabled,
    Draining,
    Disabled,
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        })
    }
}

impl FromStr for Intent {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        [Self::Enabled, Self::Draining, Self::Disabled]
            .into_iter()
            .find(|intent| intent.to_string() == text)
            .ok_or_else(|| Error::broken(format!("`{text}` is not an intent for a host")))
    }
}

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
    let next = follow(row.state, intent, row.faults.is_empty());
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

/// The state a host that answers should be in.
pub fn follow(now: states::Host, intent: Intent, whole: bool) -> states::Host {
    use states::Host::{Degraded, Draining, Lost, Maintenance, Ready};
    if now == Lost {
        return Lost;
    }
    let wanted: &[states::Host] = match (intent, whole) {
        (Intent::Enabled, true) => &[Ready],
        (Intent::Enabled, false) => &[Degraded],
        (Intent::Draining, _) => &[Draining],
        (Intent::Disabled, _) => &[Maintenance, Draining],
    };
    wanted
        .iter()
        .copied()
        .find(|next| *next == now || now.may_become(*next))
        .unwrap_or(now)
}
