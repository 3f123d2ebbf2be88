//! What happened behind our back: the power of every server and the life of its guest, as its cloud shows them,
//! within seconds.
//!
//! An observation that began before the last command on a server ended is older than that command, and ignored.
//! A server that a task holds is left to its task.

use std::{collections::HashMap, time::Duration};

use auth::Cx;
use contract::{Call, Cloud, compute::Sign};
use store::{
    Store, Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Next, ReconcileCx, Reconciler};
use types::{
    ExternalRef, Result, Timestamp,
    states::{self, Guest, Power, Server},
};

use crate::{State, account, clouds::each, host, server, swap::swap, tasks::holders};

pub struct Observe;

impl Reconciler for Observe {
    const NAME: &'static str = "server-power";

    fn every() -> Duration {
        Duration::from_secs(2)
    }

    async fn reconcile(&self, cx: &ReconcileCx) -> Result<Next> {
        let state = cx.get::<State>();
        for account in account::live(cx.store()).await? {
            if let Err(error) = look(state, cx.cx(), &account).await {
                tracing::warn!(
                    account = account.name,
                    "its servers cannot be observed: {}",
                    error.chain()
                );
            }
        }
        Ok(Next::Usual)
    }
}

async fn look(state: &State, cx: &Cx, account: &account::Model) -> Result<()> {
    let rows = server::Entity::find()
        .filter(server::Column::AccountId.eq(account.id))
        .filter(server::Column::ExternalId.is_not_null())
        .filter(server::Column::State.is_in([Server::Running, Server::Stopped, Server::Failed]));
    let rows = state.store.all(rows).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let began = Timestamp::now();
    let call = Call::new(cx.request_id(), Duration::from_secs(15));
    let cloud = state.clouds.connect(&call, account).await?;
    let seen = machines(&call, cloud.as_ref()).await?;
    let silent = silent_hosts(&state.store, account).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let held = holders(&state.store, "server", &ids).await?;
    for row in rows {
        let unreachable = row.host_id.is_some_and(|host| silent.contains(&host));
        let (power, sign) = match row.external_id.as_ref().and_then(|id| seen.get(id)) {
            Some(seen) => *seen,
            None if unreachable => (Power::Unknown, None),
            None => (Power::Missing, None),
        };
        if held.contains_key(&row.id.to_string()) || row.commanded_at >= began {
            continue;
        }
        let guest = server::guest::judge(&row, power, sign, began);
        if power != row.power_state || rest_of(&row, power).is_some() {
            record(&state.store, cx, row, (power, guest), began).await?;
        } else if guest != row.guest {
            record_guest(&state.store, cx, row, guest, began).await?;
        }
    }
    Ok(())
}

async fn machines(call: &Call, cloud: &dyn Cloud) -> Result<HashMap<ExternalRef, (Power, Option<Sign>)>> {
    let Some(compute) = cloud.compute() else {
        return Ok(HashMap::new());
    };
    let mut seen = HashMap::new();
    let skipped = each(
        |from| compute.list(call, from),
        |machine| seen.extend([(machine.id, (machine.power, machine.sign))]),
    );
    for skipped in skipped.await? {
        tracing::warn!(machine = skipped.item, "it could not be read: {}", skipped.reason);
    }
    Ok(seen)
}

/// Hosts whose servers nobody can see now: absent from the list does not mean gone.
async fn silent_hosts(store: &Store, account: &account::Model) -> Result<Vec<types::HostId>> {
    let rows = store
        .all(host::Entity::find().filter(host::Column::AccountId.eq(account.id)))
        .await?;
    let stale = Timestamp::now();
    Ok(rows
        .into_iter()
        .filter(|host| {
            host.state == states::Host::Lost || host.seen_at.is_none_or(|at| stale.since(at) > host::facts::SILENCE)
        })
        .map(|host| host.id)
        .collect())
}

/// The resting state that an observed power means, when it is another than the row's.
fn rest_of(row: &server::Model, power: Power) -> Option<Server> {
    match (row.state, power) {
        (Server::Running, Power::Off | Power::Crashed) => Some(Server::Stopped),
        (Server::Stopped, Power::On) => Some(Server::Running),
        _ => None,
    }
}

async fn record(
    store: &Store,
    cx: &Cx,
    row: server::Model,
    (power, guest): (Power, Option<Guest>),
    at: Timestamp,
) -> Result<()> {
    use server::Column as C;
    let (before, since) = (row.guest, guest_since(&row, guest, at));
    let next = rest_of(&row, power).unwrap_or(row.state);
    let fault = match power {
        Power::Missing => Some("the cloud no longer has this server: it was removed behind our back".to_owned()),
        Power::Crashed => Some("the guest crashed".to_owned()),
        _ if matches!(row.power_state, Power::Missing | Power::Crashed) => None,
        _ => row.fault.clone(),
    };
    let mut tx = store.begin().await?;
    let changed = swap::<server::Entity>(&tx, row.id, row.version, |u| {
        u.col_expr(C::PowerState, Expr::value(power))
            .col_expr(C::PowerSeenAt, Expr::value(at))
            .col_expr(C::State, Expr::value(next))
            .col_expr(C::Fault, Expr::value(fault))
            .col_expr(C::Guest, Expr::value(guest))
            .col_expr(C::GuestSince, Expr::value(since))
    })
    .await;
    match changed {
        Ok(row) => {
            web::noun::announce::<server::Entity>(cx, &mut tx, &row, &format!("observed-{power}")).await?;
            announce_guest(cx, &mut tx, &row, before).await?;
            tx.commit().await
        }
        // Somebody was faster; the next round looks again.
        Err(error) if error.code == "version_mismatch" => Ok(()),
        Err(error) => Err(error),
    }
}

/// The guest alone: nothing that a caller could have decided on by its version has changed, so the version stays, and
/// nobody's change is refused for it.
async fn record_guest(
    store: &Store,
    cx: &Cx,
    mut row: server::Model,
    guest: Option<Guest>,
    at: Timestamp,
) -> Result<()> {
    use server::Column as C;
    let (before, since) = (row.guest, guest_since(&row, guest, at));
    let update = server::Entity::update_many()
        .col_expr(C::Guest, Expr::value(guest))
        .col_expr(C::GuestSince, Expr::value(since))
        .filter(C::Id.eq(row.id))
        .filter(C::Version.eq(row.version));
    let mut tx = store.begin().await?;
    if tx.update(update).await? == 0 {
        // Somebody was faster; the next round looks again.
        return Ok(());
    }
    row.guest = guest;
    announce_guest(cx, &mut tx, &row, before).await?;
    tx.commit().await
}

/// Since when it is so: from now, unless nothing changed.
fn guest_since(row: &server::Model, guest: Option<Guest>, at: Timestamp) -> Option<Timestamp> {
    match guest == row.guest {
        true => row.guest_since,
        false => guest.map(|_| at),
    }
}

async fn announce_guest(cx: &Cx, tx: &mut Tx, row: &server::Model, before: Option<Guest>) -> Result<()> {
    match row.guest {
        Some(guest) if row.guest != before => {
            web::noun::announce::<server::Entity>(cx, tx, row, &format!("guest-{guest}")).await
        }
        _ => Ok(()),
    }
}
