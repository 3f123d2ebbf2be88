//! What happens on hosts, heard as it happens: a task that holds the server looks at once instead of at its next timer,
//! and a server that nobody holds is observed at once.
//!
//! Only a hint: what is true is what the task or the observer then sees. A host that cannot be heard costs time alone.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use contract::{Call, ChangeFeed, Cursor};
use store::{
    Row,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter},
};
use task::{Next, ReconcileCx, Reconciler, Resource};
use types::{HostId, Result, states};

use crate::{State, account, host, observe, server, tasks::holders};

/// How long a host is listened to before it is asked anew.
const LISTEN: Duration = Duration::from_secs(25);
/// To connect to a cloud.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Watch {
    heard: Heard,
}

/// Up to where each host was heard. Who takes over begins without, and is told everything.
type Heard = Arc<Mutex<HashMap<HostId, Cursor>>>;

impl Reconciler for Watch {
    const NAME: &'static str = "host-changes";

    fn every() -> Duration {
        Duration::from_secs(2)
    }

    async fn reconcile(&self, cx: &ReconcileCx) -> Result<Next> {
        let heard = self.heard.clone();
        cx.each(hosts, move |cx, at| hear(cx, at, heard.clone())).await
    }
}

type At = (account::Model, host::Model);

/// The hosts of every account whose cloud tells of changes.
async fn hosts(cx: ReconcileCx) -> Result<Vec<Resource<At>>> {
    let state = cx.get::<State>();
    let mut all = Vec::new();
    for account in account::live(cx.store()).await? {
        let call = Call::new(cx.cx().request_id(), PATIENCE);
        let cloud = state.clouds.connect(&call, &account).await;
        // Why there is no connection, the observer says.
        if !cloud.is_ok_and(|cloud| cloud.changes().is_some()) {
            continue;
        }
        let rows = host::Entity::find().filter(host::Column::AccountId.eq(account.id));
        let resource = |row: host::Model| Resource {
            id: format!("{}/{}", host::Entity::NOUN, row.id),
            name: format!("host `{}`", row.name),
            generation: row.version,
            value: (account.clone(), row),
        };
        all.extend(cx.store().all(rows).await?.into_iter().map(resource));
    }
    Ok(all)
}

async fn hear(cx: ReconcileCx, (account, host): At, heard: Heard) -> Result<Next> {
    let call = Call::new(cx.cx().request_id(), LISTEN);
    let cloud = cx.get::<State>().clouds.connect(&call, &account).await?;
    let Some(changes) = cloud.changes() else {
        return Ok(Next::Usual);
    };
    let lock = || heard.lock().unwrap_or_else(PoisonError::into_inner);
    let since = lock().get(&host.id).cloned();
    let feed = changes.next(&call, &host.external_id, since).await?;
    tell(&cx, &host, &feed).await?;
    lock().insert(host.id, feed.cursor);
    Ok(Next::Now)
}

/// Wakes those whom it concerns. A server that began to be looked at before this is looked at once more: a task that a
/// worker has does not park before it looked again, so nothing is missed between a look and the timer it sets.
async fn tell(cx: &ReconcileCx, host: &host::Model, feed: &ChangeFeed) -> Result<()> {
    use server::Column as C;
    let changed: Vec<_> = feed.machines.iter().map(|(id, _)| id.clone()).collect();
    if changed.is_empty() && !feed.complete {
        return Ok(());
    }
    let rows = server::Entity::find()
        .filter(C::AccountId.eq(host.account_id))
        .filter(C::State.ne(states::Server::Deleted));
    // One that is missing from all there is may be gone.
    let rows = match feed.complete {
        true => rows.filter(C::HostId.eq(host.id)),
        false => rows.filter(C::ExternalId.is_in(changed)),
    };
    let ids: Vec<_> = cx.store().all(rows).await?.into_iter().map(|row| row.id).collect();
    let held = holders(cx.store(), server::Entity::NOUN, &ids).await?;
    let tasks: HashSet<_> = held.values().copied().collect();
    let free = !feed.complete && held.len() < ids.len();
    // One task a transaction: several rows locked in our order could meet the engines' locks in theirs.
    for task in tasks {
        let mut tx = cx.store().begin().await?;
        task::wake(&mut tx, task).await?;
        tx.commit().await?;
    }
    if free {
        let mut tx = cx.store().begin().await?;
        tx.wake(observe::CHANNEL);
        tx.commit().await?;
    }
    Ok(())
}
