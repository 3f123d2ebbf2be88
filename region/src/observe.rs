//! What happened behind our back: the power of every server and the life of its guest, as its cloud shows them,
//! within seconds.
//!
//! An observation that began before the last command on a server ended is older than that command, and ignored.
//! A server that a task holds is left to its task.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use auth::Cx;
use contract::{Call, Cloud, compute::Sign};
use store::{
    Store, Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Next, ReconcileCx, Reconciler};
use types::{
    ExternalRef, HostId, Result, Timestamp,
    states::{self, Guest, Power, Server},
};

use crate::{State, account, clouds::each, host, server, swap::swap, tasks::holders};

pub struct Observe;

/// The channel that wakes it: something happened to a server that no task holds.
pub const CHANNEL: &str = "server-changes";

impl Reconciler for Observe {
    const NAME: &'static str = "server-power";
    const CHANNEL: Option<&'static str> = Some(CHANNEL);

    fn every() -> Duration {
        Duration::from_secs(2)
    }

    async fn reconcile(&self, cx: &ReconcileCx) -> Result<Next> {
        cx.each(account::resources, observe).await
    }
}

async fn observe(cx: ReconcileCx, account: account::Model) -> Result<Next> {
    look(cx.get::<State>(), cx.cx(), &account).await?;
    Ok(Next::Usual)
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
    let seen = Seen::by(state, &call, account, cloud.as_ref()).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let held = holders(&state.store, "server", &ids).await?;
    for row in rows {
        let Some((power, sign)) = seen.server(row.external_id.as_ref(), row.host_id) else {
            continue;
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

/// What one look at an account found.
#[derive(Default)]
struct Seen {
    machines: HashMap<ExternalRef, (Power, Option<Sign>)>,
    /// Servers, or whole hosts, that could not be read this time.
    skipped: HashSet<String>,
    unread: HashSet<HostId>,
    silent: HashSet<HostId>,
}

impl Seen {
    async fn by(state: &State, call: &Call, account: &account::Model, cloud: &dyn Cloud) -> Result<Self> {
        let mut seen = Self::default();
        if let Some(compute) = cloud.compute() {
            let skipped = each(
                |from| compute.list(call, from),
                |machine| seen.machines.extend([(machine.id, (machine.power, machine.sign))]),
            );
            for skipped in skipped.await? {
                tracing::warn!(machine = skipped.item, "it could not be read: {}", skipped.reason);
                seen.skipped.insert(skipped.item);
            }
        }
        let hosts = host::Entity::find().filter(host::Column::AccountId.eq(account.id));
        for host in state.store.all(hosts).await? {
            if is_silent(&host) {
                seen.silent.insert(host.id);
            } else if seen.skipped.contains(host.external_id.as_str()) {
                seen.unread.insert(host.id);
            }
        }
        Ok(seen)
    }

    /// None when this look says nothing about it: what could not be read may be there.
    fn server(&self, id: Option<&ExternalRef>, host: Option<HostId>) -> Option<(Power, Option<Sign>)> {
        if let Some(seen) = id.and_then(|id| self.machines.get(id)) {
            return Some(*seen);
        }
        if host.is_some_and(|host| self.silent.contains(&host)) {
            return Some((Power::Unknown, None));
        }
        let unread = id.is_some_and(|id| self.skipped.contains(id.as_str()))
            || host.is_some_and(|host| self.unread.contains(&host));
        (!unread).then_some((Power::Missing, None))
    }
}

/// Nobody can see its servers now: absent from the list does not mean gone.
fn is_silent(host: &host::Model) -> bool {
    let now = Timestamp::now();
    host.state == states::Host::Lost || host.seen_at.is_none_or(|at| now.since(at) > host::facts::SILENCE)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_not_called_missing() {
        let (well, mute, lost) = (HostId::new(), HostId::new(), HostId::new());
        let id = |text: &str| ExternalRef::new(text);
        let seen = Seen {
            machines: HashMap::from([(id("a"), (Power::On, None))]),
            skipped: HashSet::from(["b".to_owned(), "host".to_owned()]),
            unread: HashSet::from([mute]),
            silent: HashSet::from([lost]),
        };
        let power = |name: &str, host| seen.server(Some(&id(name)), Some(host)).map(|(power, _)| power);
        assert_eq!(power("a", well), Some(Power::On));
        assert_eq!(power("b", well), None);
        assert_eq!(power("c", well), Some(Power::Missing));
        assert_eq!(power("c", mute), None);
        assert_eq!(power("c", lost), Some(Power::Unknown));
    }
}
