//! Keeps host and storage rows equal to what the clouds say. New hosts appear, silent ones become lost.

use std::{collections::HashSet, time::Duration};

use contract::{Call, Cloud, HostFacts, host::StorageFacts};
use store::{
    Store, Tx,
    sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Next, ReconcileCx, Reconciler, Resource};
use types::{ExternalRef, HostId, Json, Result, StorageId, Timestamp, api::host::Intent, states};

use super::{
    Column, Entity, INVENTORY, Model,
    intent::{Load, follow, load},
};
use crate::{
    State, account,
    clouds::each,
    storage,
    swap::{set, swap},
};

/// Promised vCPUs per physical one, in thousandths.
pub const CPU_OVERCOMMIT: i64 = 4000;
pub const MEMORY_OVERCOMMIT: i64 = 1000;
/// A host that was not seen for this long is lost.
pub const SILENCE: Duration = Duration::from_secs(10);

pub struct Facts;

impl Reconciler for Facts {
    const NAME: &'static str = "host-facts";
    const CHANNEL: Option<&'static str> = Some(INVENTORY);

    fn every() -> Duration {
        Duration::from_secs(3)
    }

    async fn reconcile(&self, cx: &ReconcileCx) -> Result<Next> {
        cx.each(accounts, find).await
    }
}

/// The hosts of an account that is held back grow silent meanwhile.
async fn accounts(cx: ReconcileCx) -> Result<Vec<Resource<account::Model>>> {
    let held = cx.held_back().await?;
    let all = account::resources(cx.clone()).await?;
    for account in all.iter().filter(|account| held.contains(&account.id)) {
        silent(cx.store(), cx.cx(), &account.value, &[]).await?;
    }
    Ok(all)
}

async fn find(cx: ReconcileCx, account: account::Model) -> Result<Next> {
    look(cx.get::<State>(), cx.cx(), &account).await?;
    Ok(Next::Usual)
}

async fn look(state: &State, cx: &auth::Cx, account: &account::Model) -> Result<()> {
    observe(state, cx, account).await?;
    account::answered(&state.store, cx, account).await
}

/// One look at all hosts of an account.
pub async fn observe(state: &State, cx: &auth::Cx, account: &account::Model) -> Result<()> {
    let call = Call::new(cx.request_id(), Duration::from_secs(8));
    let known = hosts(&state.store, account).await?;
    let known: HashSet<_> = known.into_iter().map(|row| row.external_id).collect();
    let cloud = state.clouds.connect(&call, account).await?;
    let facts = all(&call, cloud.as_ref()).await?;
    let seen: Vec<_> = facts
        .iter()
        .filter(|fact| fact.reachable)
        .map(|fact| fact.id.clone())
        .collect();
    for fact in &facts {
        if fact.reachable {
            store_facts(&state.store, cx, account, fact, &known).await?;
        }
    }
    silent(&state.store, cx, account, &seen).await
}

async fn hosts(store: &Store, account: &account::Model) -> Result<Vec<Model>> {
    store.all(Entity::find().filter(Column::AccountId.eq(account.id))).await
}

async fn all(call: &Call, cloud: &dyn Cloud) -> Result<Vec<HostFacts>> {
    let Some(hosts) = cloud.hosts() else {
        return Ok(Vec::new());
    };
    let mut facts = Vec::new();
    for skipped in each(|from| hosts.list(call, from), |fact| facts.push(fact)).await? {
        tracing::warn!(host = skipped.item, "its facts could not be read: {}", skipped.reason);
    }
    Ok(facts)
}

async fn store_facts(
    store: &Store,
    cx: &auth::Cx,
    account: &account::Model,
    fact: &HostFacts,
    known: &HashSet<ExternalRef>,
) -> Result<()> {
    let found = Entity::find()
        .filter(Column::AccountId.eq(account.id))
        .filter(Column::ExternalId.eq(fact.id.clone()));
    let row = store.one(found).await?;
    let storages = match &row {
        Some(row) => {
            store
                .all(storage::Entity::find().filter(storage::Column::HostId.eq(row.id)))
                .await?
        }
        None => vec![],
    };
    let next = match &row {
        // It was deleted while we looked. If the cloud goes on reporting it, the next look says so.
        None if known.contains(&fact.id) => return Ok(()),
        Some(row) => next_state(store, row, fact).await?,
        None => first_state(fact),
    };
    if let Some(row) = &row
        && row.state == next
        && same(row, fact)
        && storages_same(&storages, &fact.storages)
    {
        return seen(store, row).await;
    }
    let mut tx = store.begin().await?;
    let row = match row {
        None => tx.insert(new_row(account, fact, next)).await?,
        Some(row) => match change(&tx, &row, fact, next).await {
            // Somebody was faster; the next round looks again.
            Err(error) if error.code == "version_mismatch" => return Ok(()),
            changed => changed?,
        },
    };
    for pool in &fact.storages {
        store_pool(&tx, &row, &storages, pool).await?;
    }
    web::noun::announce::<Entity>(cx, &mut tx, &row, row.state.as_str()).await?;
    tx.wake(INVENTORY);
    tx.commit().await
}

/// Nothing changed: only the time is written, now and then, without an event.
async fn seen(store: &Store, row: &Model) -> Result<()> {
    let now = Timestamp::now();
    if row.seen_at.is_some_and(|at| now.since(at) < SILENCE / 3) {
        return Ok(());
    }
    let tx = store.begin().await?;
    tx.update(
        Entity::update_many()
            .col_expr(Column::SeenAt, Expr::value(now))
            .filter(Column::Id.eq(row.id)),
    )
    .await?;
    tx.commit().await
}

fn same(row: &Model, fact: &HostFacts) -> bool {
    row.architecture == fact.architecture
        && row.hypervisor == fact.hypervisor
        && row.vcpus == i64::from(fact.vcpus)
        && row.memory == fact.memory
        && row.faults.0 == fact.faults
}

fn storages_same(rows: &[storage::Model], facts: &[StorageFacts]) -> bool {
    // Usage moves all the time; a change below one hundredth of the pool is not written.
    facts.iter().all(|fact| {
        rows.iter().any(|row| {
            let moved = row.used.as_bytes().abs_diff(fact.used.as_bytes());
            row.name == fact.name && row.capacity == fact.capacity && moved <= fact.capacity.as_bytes() / 100
        })
    })
}

fn first_state(fact: &HostFacts) -> states::Host {
    if fact.faults.is_empty() {
        states::Host::Ready
    } else {
        states::Host::Degraded
    }
}

async fn next_state(store: &Store, row: &Model, fact: &HostFacts) -> Result<states::Host> {
    let answered = match row.state {
        states::Host::Lost | states::Host::Discovered | states::Host::Preparing => states::Host::Degraded,
        now => now,
    };
    let load = match row.intent {
        Intent::Draining => load(store, row).await?,
        Intent::Enabled | Intent::Disabled => Load::Carrying,
    };
    Ok(follow(answered, row.intent, &fact.faults, load))
}

async fn change(tx: &Tx, row: &Model, fact: &HostFacts, next: states::Host) -> Result<Model> {
    swap::<Entity>(tx, row.id, row.version, |update| {
        update
            .col_expr(Column::Architecture, Expr::value(fact.architecture.as_str()))
            .col_expr(Column::Hypervisor, Expr::value(fact.hypervisor.as_str()))
            .col_expr(Column::Vcpus, Expr::value(i64::from(fact.vcpus)))
            .col_expr(Column::Memory, Expr::value(fact.memory))
            .col_expr(Column::Faults, Expr::value(Json(fact.faults.clone())))
            .col_expr(Column::State, Expr::value(next))
            .col_expr(Column::SeenAt, Expr::value(Timestamp::now()))
    })
    .await
}

fn new_row(account: &account::Model, fact: &HostFacts, state: states::Host) -> super::ActiveModel {
    let now = Timestamp::now();
    super::ActiveModel {
        id: Set(HostId::new()),
        name: Set(fact.name.clone()),
        account_id: Set(account.id),
        zone_id: Set(account.zone_id),
        external_id: Set(fact.id.clone()),
        endpoint: Set(None),
        state: Set(state),
        intent: Set(Intent::Enabled),
        faults: Set(Json(fact.faults.clone())),
        architecture: Set(fact.architecture.clone()),
        hypervisor: Set(fact.hypervisor.clone()),
        driver: Set(account.driver.clone()),
        vcpus: Set(i64::from(fact.vcpus)),
        memory: Set(fact.memory),
        vcpus_used: Set(0),
        memory_used: Set(types::Size::ZERO),
        cpu_overcommit: Set(CPU_OVERCOMMIT),
        memory_overcommit: Set(MEMORY_OVERCOMMIT),
        memory_reserved: Set(types::Size::ZERO),
        tags: Set(Json(vec![])),
        seen_at: Set(Some(now)),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    }
}

async fn store_pool(tx: &Tx, host: &Model, known: &[storage::Model], fact: &StorageFacts) -> Result<()> {
    use storage::Column as C;
    let now = Timestamp::now();
    if let Some(row) = known.iter().find(|row| row.name == fact.name) {
        let update = storage::Entity::update_many()
            .col_expr(C::Capacity, Expr::value(fact.capacity))
            .col_expr(C::Used, Expr::value(fact.used))
            .col_expr(C::UpdatedAt, Expr::value(now))
            .filter(C::Id.eq(row.id));
        return tx.update(update).await.map(drop);
    }
    tx.insert(storage::ActiveModel {
        id: Set(StorageId::new()),
        name: Set(fact.name.clone()),
        host_id: Set(host.id),
        account_id: Set(host.account_id),
        backend: Set(fact.backend.clone()),
        capacity: Set(fact.capacity),
        claimed: Set(types::Size::ZERO),
        used: Set(fact.used),
        enabled: Set(true),
        created_at: Set(now),
        updated_at: Set(now),
    })
    .await
    .map(drop)
}

/// Hosts that nobody saw just now, and for longer than [`SILENCE`], are lost.
async fn silent(store: &Store, cx: &auth::Cx, account: &account::Model, seen: &[ExternalRef]) -> Result<()> {
    let now = Timestamp::now();
    for row in hosts(store, account).await? {
        let quiet = now.since(row.seen_at.unwrap_or(row.created_at)) > SILENCE;
        if seen.contains(&row.external_id) || !quiet || !row.state.may_become(states::Host::Lost) {
            continue;
        }
        let mut tx = store.begin().await?;
        let row = set::<Entity>(&tx, row.id, |update| {
            update.col_expr(Column::State, Expr::value(states::Host::Lost))
        })
        .await?;
        web::noun::announce::<Entity>(cx, &mut tx, &row, "lost").await?;
        tx.wake(INVENTORY);
        tx.commit().await?;
    }
    Ok(())
}
