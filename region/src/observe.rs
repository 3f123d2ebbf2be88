//! What happened behind our back: the power of every server, as its cloud shows it, within seconds.
//!
//! An observation that began before the last command on a server ended is older than that command, and ignored.
//! A server that a task holds is left to its task.

use std::{collections::HashMap, time::Duration};

use auth::Cx;
use contract::{Call, Cloud};
use store::{
    Store,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Next, ReconcileCx, Reconciler};
use types::{
    ExternalRef, Result, Timestamp,
    states::{self, Power, Server},
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
        let power = match row.external_id.as_ref().and_then(|id| seen.get(id)) {
            Some(power) => *power,
            None if unreachable => Power::Unknown,
            None => Power::Missing,
        };
        let same = power == row.power_state && rest_of(&row, power).is_none();
        if same || held.contains_key(&row.id.to_string()) || row.commanded_at >= began {
            continue;
        }
        record(&state.store, cx, row, power, began).await?;
    }
    Ok(())
}

async fn machines(call: &Call, cloud: &dyn Cloud) -> Result<HashMap<ExternalRef, Power>> {
    let Some(compute) = cloud.compute() else {
        return Ok(HashMap::new());
    };
    let mut seen = HashMap::new();
    let skipped = each(
        |from| compute.list(call, from),
        |machine| seen.extend([(machine.id, machine.power)]),
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

async fn record(store: &Store, cx: &Cx, row: server::Model, power: Power, at: Timestamp) -> Result<()> {
    use server::Column as C;
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
    })
    .await;
    match changed {
        Ok(row) => {
            web::noun::announce::<server::Entity>(cx, &mut tx, &row, &format!("observed-{power}")).await?;
            tx.commit().await
        }
        // Somebody was faster; the next round looks again.
        Err(error) if error.code == "version_mismatch" => Ok(()),
        Err(error) => Err(error),
    }
}
