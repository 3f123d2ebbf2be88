//! Simulated snapshots of volumes.

use async_trait::async_trait;
use contract::{Call, Error, ExternalRef, Op, Result, SnapshotFacts, Snapshots, Token};

use crate::{
    cloud::{Draft, SimCloud, external},
    disk,
    world::{self, Change, Effect},
};

/// The family in tokens and effects.
pub(crate) const FAMILY: &str = "snapshots";

#[async_trait]
impl Snapshots for SimCloud {
    async fn list(&self, call: &Call, volume: &ExternalRef) -> Result<Vec<SnapshotFacts>> {
        self.look(call, "snapshots.list", |world, _| {
            disk::find(world, volume.as_str())?;
            let rows = world.snapshots.values().filter(|s| s.volume == volume.as_str());
            Ok(rows.map(show).collect())
        })
        .await
    }

    async fn create(&self, call: &Call, volume: &ExternalRef, name: &str, token: &Token) -> Result<Op<ExternalRef>> {
        self.slow(call, "snapshots.create", |draft, _| create(draft, volume, name, token))
            .await
    }

    async fn delete(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "snapshots.delete", |draft, _| {
            draft.subject = snapshot.to_string();
            if let Some(row) = draft.world.snapshots.get(snapshot.as_str()) {
                disk::reach(draft.world, &row.volume)?;
                draft.changes.extend(removal(row));
            }
            Ok(())
        })
        .await
    }

    async fn revert(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "snapshots.revert", |draft, _| revert(draft, snapshot))
            .await
    }
}

fn create(draft: &mut Draft<'_>, volume: &ExternalRef, name: &str, token: &Token) -> Result<ExternalRef> {
    if let Some(id) = draft.world.live(FAMILY, token.as_str()) {
        draft.subject = id.to_owned();
        return Ok(external(id));
    }
    let volume = disk::reach(draft.world, volume.as_str())?;
    let row = world::Snapshot {
        id: draft.id("snap"),
        name: name.to_owned(),
        token: token.clone(),
        volume: volume.id.clone(),
        size: volume.size,
        content: volume.content.clone(),
    };
    draft.subject.clone_from(&row.id);
    draft.push(Change::Made {
        key: Effect::key(FAMILY, token.as_str()),
        id: row.id.clone(),
    });
    draft.push(Change::Snapshot(row));
    Ok(external(&draft.subject))
}

fn revert(draft: &mut Draft<'_>, snapshot: &ExternalRef) -> Result<()> {
    draft.subject = snapshot.to_string();
    let found = draft.world.snapshots.get(snapshot.as_str());
    let row = found.ok_or_else(|| Error::not_found("snapshot", snapshot))?;
    let volume = disk::reach(draft.world, &row.volume)?.clone();
    disk::must_rest(draft.world, &volume)?;
    draft.push(Change::Volume(world::Volume {
        size: row.size,
        content: row.content.clone(),
        ..volume
    }));
    Ok(())
}

/// What happens when a snapshot goes, alone or with its volume.
pub(crate) fn removal(row: &world::Snapshot) -> [Change; 2] {
    [
        Change::Deleted {
            key: Effect::key(FAMILY, row.token.as_str()),
        },
        Change::SnapshotGone(row.id.clone()),
    ]
}

fn show(row: &world::Snapshot) -> SnapshotFacts {
    SnapshotFacts {
        id: external(&row.id),
        name: row.name.clone(),
        token: Some(row.token.clone()),
    }
}
