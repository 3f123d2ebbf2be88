//! Forgetting a host: disabled or drained, empty, and no longer reported by its cloud. The machine itself is not touched.
//!
//! A host with our agent is known from its row alone: with the row and its join token it cannot come back by itself.
//! Any other host would be found again by the next look, as a new and enabled one, as long as its cloud reports it.

use std::time::Duration;

use auth::Cx;
use contract::Call;
use store::{
    Row, Tx,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter},
};
use types::{Error, HostId, Result, api::host::Intent, states};
use web::Made;

use super::{Column, Entity, INVENTORY, Model, claims, join};
use crate::{State, clouds::each, disk, network::ensure, server, storage};

/// How long a cloud may take to say which hosts it has.
const PATIENCE: Duration = Duration::from_secs(8);

/// Refuses what is in use, then what its cloud still reports or cannot be asked about.
pub async fn ready(state: &State, cx: &Cx, row: &Model) -> Result<()> {
    let tx = state.store.begin().await?;
    free(&tx, row).await?;
    drop(tx);
    if row.endpoint.is_some() {
        return Ok(());
    }
    let reported = is_reported(state, cx, row).await.map_err(|e| {
        e.wrap(format!(
            "host `{}` stays until its cloud can say whether it still has it",
            row.name
        ))
        .on(Entity::NOUN, row.id)
    })?;
    if reported {
        let message = format!(
            "host `{}` is still reported by its cloud account: take it out of that cloud first, or leave it disabled",
            row.name
        );
        return Err(Error::conflict(message).code("still_reported").on(Entity::NOUN, row.id));
    }
    Ok(())
}

async fn is_reported(state: &State, cx: &Cx, row: &Model) -> Result<bool> {
    let call = Call::new(cx.request_id(), PATIENCE);
    let cloud = state.clouds.of(&call, row.account_id).await?;
    let Some(hosts) = cloud.hosts() else {
        return Ok(false);
    };
    let mut seen = false;
    let skipped = each(
        |from| hosts.list(&call, from),
        |fact| seen |= fact.id == row.external_id,
    )
    .await?;
    Ok(seen || skipped.iter().any(|host| host.item == row.external_id.as_str()))
}

/// Everything about the host goes in this transaction.
pub async fn delete(tx: &mut Tx, id: HostId) -> Result<Made<Entity>> {
    let row = tx.lock(Entity::find_by_id(id)).await?;
    let row = row.ok_or_else(|| Error::not_found(Entity::NOUN, id))?;
    free(tx, &row).await?;
    forget(tx, &row).await?;
    Ok(Made::now(row))
}

/// The row with all that hangs on it.
pub async fn forget(tx: &mut Tx, row: &Model) -> Result<()> {
    let id = row.id;
    claims::drop_all(tx, id).await?;
    let tokens = join::Entity::delete_many().filter(join::Column::UsedBy.eq(id));
    tx.delete(tokens).await?;
    let networks = ensure::Entity::delete_many()
        .filter(ensure::Column::AccountId.eq(row.account_id))
        .filter(ensure::Column::HostId.eq(row.external_id.as_str()));
    tx.delete(networks).await?;
    tx.delete(storage::Entity::delete_many().filter(storage::Column::HostId.eq(id)))
        .await?;
    tx.delete(Entity::delete_many().filter(Column::Id.eq(id))).await?;
    tx.wake(INVENTORY);
    Ok(())
}

/// Nothing new can come to it, and nothing is on it.
async fn free(tx: &Tx, row: &Model) -> Result<()> {
    let refused = |code, message: String| Err(Error::conflict(message).code(code).on(Entity::NOUN, row.id));
    // Whether a drain has ended is what `used_by` says: a host that is lost has nobody to see it become empty.
    if row.intent == Intent::Enabled {
        let message = format!(
            "host `{}` is {} and {}: drain or disable it first",
            row.name, row.intent, row.state
        );
        return refused("in_service", message);
    }
    match used_by(tx, row.id).await? {
        Some(used) => refused(
            "in_use",
            format!("host `{}` still has {used}: delete it first", row.name),
        ),
        None => Ok(()),
    }
}

/// What is on it, or about to be.
pub async fn used_by(tx: &Tx, host: HostId) -> Result<Option<String>> {
    let servers = server::Entity::find()
        .filter(server::Column::HostId.eq(host))
        .filter(server::Column::State.ne(states::Server::Deleted));
    if let Some(server) = tx.one(servers).await? {
        return Ok(Some(format!("server `{}`", server.name)));
    }
    let disks = disk::Entity::find()
        .filter(disk::Column::HostId.eq(host))
        .filter(disk::Column::State.ne(states::Disk::Deleted));
    if let Some(disk) = tx.one(disks).await? {
        return Ok(Some(format!("disk `{}`", disk.name)));
    }
    claims::holder(tx, host).await
}
