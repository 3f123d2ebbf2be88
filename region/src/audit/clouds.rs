//! The tables against the clouds: machines, volumes, networks and leases of ours that only one side knows.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use auth::Cx;
use contract::{Call, Cloud, Cursor, Page};
use futures::future::BoxFuture;
use store::sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use types::{AccountId, ExternalRef, Result, states};

use super::Leak;
use crate::{State, account, address, clouds::each, disk, network::ensure, server, tasks::holders};

pub async fn compare(state: &State, cx: &Cx) -> Result<Vec<Leak>> {
    let mut leaks = Vec::new();
    for account in account::live(&state.store).await? {
        match one(state, cx, &account).await {
            Ok(found) => leaks.extend(found),
            Err(error) => leaks.push(Leak::new(
                "cloud",
                "cloud-account",
                account.id,
                &account.name,
                error.chain(),
            )),
        }
    }
    Ok(leaks)
}

async fn one(state: &State, cx: &Cx, account: &account::Model) -> Result<Vec<Leak>> {
    let call = Call::new(cx.request_id(), Duration::from_secs(60));
    let cloud = state.clouds.connect(&call, account).await?;
    let mut leaks = machines(state, &call, cloud.as_ref(), account.id).await?;
    leaks.extend(volumes(state, &call, cloud.as_ref(), account.id).await?);
    leaks.extend(networks(state, &call, cloud.as_ref(), account.id).await?);
    Ok(leaks)
}

/// What a cloud has, and what of it could not be looked at.
struct Real {
    items: HashMap<ExternalRef, String>,
    unseen: Vec<(String, String)>,
}

/// Both directions of one kind: what exists and is not known, what is known and does not exist.
fn differ(kind: &str, mut real: Real, known: Vec<(ExternalRef, String)>) -> Vec<Leak> {
    let mut leaks = Vec::new();
    for (item, reason) in &real.unseen {
        leaks.push(Leak::new(
            "cloud",
            kind,
            item,
            item,
            format!("it cannot be compared: {reason}"),
        ));
    }
    for (id, name) in known {
        // Where something could not be looked at, absence proves nothing.
        if real.items.remove(&id).is_none() && real.unseen.is_empty() {
            leaks.push(Leak::new(
                "rows",
                kind,
                &id,
                &name,
                "the tables know it, and the cloud does not have it",
            ));
        }
    }
    leaks.extend(
        real.items
            .into_iter()
            .map(|(id, name)| Leak::new("cloud", kind, &id, &name, "it exists, and no row knows it")),
    );
    leaks
}

/// What a task is working on is neither here nor there: whatever changed between two looks is left out.
async fn machines(state: &State, call: &Call, cloud: &dyn Cloud, account: AccountId) -> Result<Vec<Leak>> {
    let Some(compute) = cloud.compute() else {
        return Ok(vec![]);
    };
    let mut real = gather(
        |from| compute.list(call, from),
        |machine| machine.token.is_some().then_some((machine.id, machine.name)),
    )
    .await?;
    let rows = server::Entity::find()
        .filter(server::Column::AccountId.eq(account))
        .filter(server::Column::State.ne(states::Server::Deleted));
    let rows = state.store.all(rows).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let held = holders(&state.store, "server", &ids).await?;
    let (busy, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| held.contains_key(&row.id.to_string()));
    // Machines are named by server id, so one that a task is making is recognised before its reference is written.
    let busy: HashSet<_> = busy.into_iter().map(|row| row.id.to_string()).collect();
    real.items.retain(|_, name| !busy.contains(name));
    Ok(differ(
        "server",
        real,
        rest.into_iter()
            .filter_map(|row| Some((row.external_id?, row.name)))
            .collect(),
    ))
}

async fn volumes(state: &State, call: &Call, cloud: &dyn Cloud, account: AccountId) -> Result<Vec<Leak>> {
    let Some(disks) = cloud.disks() else { return Ok(vec![]) };
    let mut real = gather(
        |from| disks.list(call, from),
        |volume| volume.token.is_some().then_some((volume.id, volume.name)),
    )
    .await?;
    let rows = disk::Entity::find()
        .filter(disk::Column::AccountId.eq(account))
        .filter(disk::Column::State.ne(states::Disk::Deleted));
    let rows = state.store.all(rows).await?;
    let (busy, rest): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.state.is_transitional());
    let busy: HashSet<_> = busy.into_iter().map(|row| row.id.to_string()).collect();
    real.items.retain(|_, name| !busy.contains(name));
    Ok(differ(
        "disk",
        real,
        rest.into_iter()
            .filter_map(|row| Some((row.external_id?, row.name)))
            .collect(),
    ))
}

async fn networks(state: &State, call: &Call, cloud: &dyn Cloud, account: AccountId) -> Result<Vec<Leak>> {
    let Some(family) = cloud.networks() else {
        return Ok(vec![]);
    };
    let places = ensure::Entity::find().filter(ensure::Column::AccountId.eq(account));
    let places = state.store.all(places).await?;
    let intended: HashSet<_> = places
        .iter()
        .filter(|row| row.external_id.is_none())
        .map(|row| (ensure::token(row.network_id), ExternalRef::new(&*row.host_id)))
        .collect();
    let mut leases: Vec<(String, String)> = Vec::new();
    let real = gather(
        |from| family.list(call, from),
        |net| {
            leases.extend(
                net.leases
                    .iter()
                    .map(|lease| (lease.mac.clone(), lease.address.clone())),
            );
            // One of these was made by a step that could not write down its reference: the row finds it by its token.
            let at = net.token?;
            let at = net.host.map(|host| (at, host));
            at.is_none_or(|at| !intended.contains(&at))
                .then_some((net.id, net.name))
        },
    )
    .await?;
    let known = places
        .into_iter()
        .filter_map(|row| Some((row.external_id?, row.network_id.to_string())))
        .collect();
    let mut leaks = differ("network", real, known);
    let macs: HashSet<_> = state
        .store
        .all(address::Entity::find())
        .await?
        .into_iter()
        .map(|row| row.mac)
        .collect();
    leaks.extend(
        leases
            .into_iter()
            .filter(|(mac, _)| !macs.contains(mac))
            .map(|(mac, address)| {
                Leak::new(
                    "cloud",
                    "lease",
                    mac,
                    &address,
                    "a network hands it out, and no server has it",
                )
            }),
    );
    Ok(leaks)
}

/// All pages of a list, each item as id and name; `pick` leaves out what is not ours.
async fn gather<'a, T>(
    list: impl Fn(Option<Cursor>) -> BoxFuture<'a, Result<Page<T>>> + Send,
    mut pick: impl FnMut(T) -> Option<(ExternalRef, String)> + Send,
) -> Result<Real> {
    let mut items = HashMap::new();
    let skipped = each(list, |item| items.extend(pick(item))).await?;
    let unseen = skipped.into_iter().map(|skipped| (skipped.item, skipped.reason));
    Ok(Real {
        items,
        unseen: unseen.collect(),
    })
}
