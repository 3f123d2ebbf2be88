//! Simulated volumes: a size and a word that stands for their bytes.

use async_trait::async_trait;
use contract::{Call, Cursor, Disks, Error, ExternalRef, Op, Page, Result, Token, Volume, VolumeSpec};
use types::{Size, states::Power};

use crate::{
    cloud::{Draft, SimCloud, external},
    place::{self, Need},
    world::{self, Change, Effect, World},
};

/// The family in tokens and effects.
pub(crate) const FAMILY: &str = "disks";

#[async_trait]
impl Disks for SimCloud {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Volume>> {
        self.look(call, "disks.list", |world, _| Ok(self.page(&world.volumes, from, show)))
            .await
    }

    async fn get(&self, call: &Call, volume: &ExternalRef) -> Result<Volume> {
        self.look(call, "disks.get", |world, _| find(world, volume.as_str()).map(show))
            .await
    }

    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Volume>> {
        self.look(call, "disks.find", |world, _| {
            let id = world.live(FAMILY, token.as_str());
            Ok(id.and_then(|id| world.volumes.get(id)).map(show))
        })
        .await
    }

    async fn create(&self, call: &Call, spec: &VolumeSpec, token: &Token) -> Result<Op<ExternalRef>> {
        self.slow(call, "disks.create", |draft, _| create(draft, spec, token))
            .await
    }

    async fn delete(&self, call: &Call, volume: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "disks.delete", |draft, _| delete(draft, volume.as_str()))
            .await
    }

    async fn resize(&self, call: &Call, volume: &ExternalRef, size: Size) -> Result<Op<()>> {
        self.slow(call, "disks.resize", |draft, _| resize(draft, volume.as_str(), size))
            .await
    }

    async fn rebuild(&self, call: &Call, volume: &ExternalRef, image: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "disks.rebuild", |draft, _| rebuild(draft, volume.as_str(), image))
            .await
    }
}

fn create(draft: &mut Draft<'_>, spec: &VolumeSpec, token: &Token) -> Result<ExternalRef> {
    if let Some(id) = draft.world.live(FAMILY, token.as_str()) {
        draft.subject = id.to_owned();
        return Ok(external(id));
    }
    if spec.size == Size::ZERO {
        return Err(Error::invalid(format!("volume {} has no size", spec.name)));
    }
    let image = spec
        .image
        .as_ref()
        .map(|image| find_image(draft.world, image))
        .transpose()?;
    let need = Need {
        disk: spec.size,
        ..Need::default()
    };
    let row = world::Volume {
        id: draft.id("vol"),
        name: spec.name.clone(),
        token: token.clone(),
        host: place::choose(draft.world, &spec.place, need)?,
        size: spec.size,
        image: image.map(|image| image.id.clone()),
        content: image.map(|image| image.digest.clone()).unwrap_or_default(),
        attached_to: None,
    };
    draft.subject.clone_from(&row.id);
    draft.push(Change::Made {
        key: Effect::key(FAMILY, token.as_str()),
        id: row.id.clone(),
    });
    draft.push(Change::Volume(row));
    Ok(external(&draft.subject))
}

fn delete(draft: &mut Draft<'_>, id: &str) -> Result<()> {
    draft.subject = id.to_owned();
    if !draft.world.volumes.contains_key(id) {
        return Ok(());
    }
    let row = reach(draft.world, id)?;
    if let Some(machine) = &row.attached_to {
        let message = format!("volume {} is attached to server {machine}: detach it first", row.name);
        return Err(Error::conflict(message).code("disk_attached").on("volume", id));
    }
    let snapshots = draft.world.snapshots.values().filter(|s| s.volume == id);
    for snapshot in snapshots.clone() {
        draft.changes.extend(crate::snapshot::removal(snapshot));
    }
    draft.push(Change::Deleted {
        key: Effect::key(FAMILY, row.token.as_str()),
    });
    draft.push(Change::VolumeGone(id.to_owned()));
    Ok(())
}

fn resize(draft: &mut Draft<'_>, id: &str, size: Size) -> Result<()> {
    draft.subject = id.to_owned();
    let row = reach(draft.world, id)?.clone();
    if size == row.size {
        return Ok(());
    }
    if size < row.size {
        let message = format!("volume {} has {} and cannot shrink to {size}", row.name, row.size);
        return Err(Error::invalid(message).on("volume", id));
    }
    let more = Need {
        disk: Size::bytes(size.as_bytes() - row.size.as_bytes()),
        ..Need::default()
    };
    place::check(draft.world, place::reach(draft.world, &row.host)?, more)?;
    draft.push(Change::Volume(world::Volume { size, ..row }));
    Ok(())
}

fn rebuild(draft: &mut Draft<'_>, id: &str, image: &ExternalRef) -> Result<()> {
    draft.subject = id.to_owned();
    let row = reach(draft.world, id)?.clone();
    must_rest(draft.world, &row)?;
    if let Some(snapshot) = draft.world.snapshots.values().find(|s| s.volume == id) {
        let message = format!("volume {} has snapshot {}: delete it first", row.name, snapshot.name);
        return Err(Error::conflict(message).code("disk_has_snapshots").on("volume", id));
    }
    let image = find_image(draft.world, image)?;
    draft.push(Change::Volume(world::Volume {
        content: image.digest.clone(),
        image: Some(image.id.clone()),
        ..row
    }));
    Ok(())
}

/// `Conflict` while a running server has the volume.
pub(crate) fn must_rest(world: &World, volume: &world::Volume) -> Result<()> {
    let machine = volume.attached_to.as_ref().and_then(|id| world.machines.get(id));
    if machine.is_some_and(|machine| machine.heading() == Power::On) {
        let message = format!("volume {} is used by a running server: stop that first", volume.name);
        return Err(Error::conflict(message).code("server_running").on("volume", &volume.id));
    }
    Ok(())
}

pub(crate) fn find<'a>(world: &'a World, id: &str) -> Result<&'a world::Volume> {
    world.volumes.get(id).ok_or_else(|| Error::not_found("volume", id))
}

/// The volume, when its host answers.
pub(crate) fn reach<'a>(world: &'a World, id: &str) -> Result<&'a world::Volume> {
    let row = find(world, id)?;
    place::reach(world, &row.host)?;
    Ok(row)
}

fn find_image<'a>(world: &'a World, image: &ExternalRef) -> Result<&'a world::Image> {
    world
        .images
        .get(image.as_str())
        .ok_or_else(|| Error::not_found("image", image))
}

fn show(row: &world::Volume) -> Volume {
    Volume {
        id: external(&row.id),
        name: row.name.clone(),
        token: Some(row.token.clone()),
        size: row.size,
        host: Some(external(&row.host)),
        attached_to: row.attached_to.as_deref().map(external),
    }
}
