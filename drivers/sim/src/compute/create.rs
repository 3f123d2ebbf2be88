//! Making a server out of its spec, and what happens when it goes.

use contract::{Error, ExternalRef, MachineSpec, Result, Token, compute::Shape, site::Place};
use types::{Size, states::Power};

use super::FAMILY;
use crate::{
    cloud::{Draft, external},
    disk,
    place::{self, Need},
    world::{self, Change, Effect, World},
};

pub(super) fn create(draft: &mut Draft<'_>, spec: &MachineSpec, token: &Token) -> Result<ExternalRef> {
    if let Some(id) = draft.world.live(FAMILY, token.as_str()) {
        draft.subject = id.to_owned();
        return Ok(external(id));
    }
    sound(spec.shape)?;
    if draft.world.machines.values().any(|m| m.name == spec.name) {
        return Err(Error::conflict(format!("there is another server {}", spec.name)).code("name_taken"));
    }
    let disks: Vec<_> = spec
        .disks
        .iter()
        .map(|id| disk::find(draft.world, id.as_str()))
        .collect::<Result<_>>()?;
    let host = host_for(draft.world, spec, &disks)?;
    check_nics(draft.world, spec, &host)?;
    for disk in &disks {
        attachable(disk, &host)?;
    }
    let id = draft.id("vm");
    for disk in disks {
        draft.changes.push(Change::Volume(world::Volume {
            attached_to: Some(id.clone()),
            ..disk.clone()
        }));
    }
    draft.push(Change::Made {
        key: Effect::key(FAMILY, token.as_str()),
        id: id.clone(),
    });
    draft.push(Change::Machine(new(spec, token, &id, host)));
    draft.subject = id;
    Ok(external(&draft.subject))
}

fn new(spec: &MachineSpec, token: &Token, id: &str, host: String) -> world::Machine {
    world::Machine {
        id: id.to_owned(),
        name: spec.name.clone(),
        token: token.clone(),
        host,
        shape: spec.shape,
        disks: spec.disks.iter().map(ToString::to_string).collect(),
        nics: spec.nics.clone(),
        seed: spec.seed.clone(),
        tags: spec.tags.clone(),
        power: Power::Off,
        turn: None,
        boots: 0,
        on_at: 0,
        deaf: false,
        changed: 0,
    }
}

/// Where it was asked for, else where its disks are, else where there is room.
fn host_for(world: &World, spec: &MachineSpec, disks: &[&world::Volume]) -> Result<String> {
    let asked = spec.place.host.clone();
    let place = Place {
        host: asked.or_else(|| disks.first().map(|disk| external(&disk.host))),
        ..spec.place.clone()
    };
    let need = Need {
        vcpus: spec.shape.vcpus,
        memory: spec.shape.memory,
        disk: Size::ZERO,
    };
    place::choose(world, &place, need)
}

fn check_nics(world: &World, spec: &MachineSpec, host: &str) -> Result<()> {
    for nic in &spec.nics {
        let found = world.networks.get(nic.network.as_str());
        let network = found.ok_or_else(|| Error::not_found("network", &nic.network))?;
        if network.host.as_deref().is_some_and(|at| at != host) {
            let message = format!(
                "network {} is not on host {host}, where server {} is to be",
                network.name, spec.name
            );
            return Err(Error::invalid(message).on("network", &nic.network));
        }
    }
    Ok(())
}

/// A shape that a server can have.
pub(super) fn sound(shape: Shape) -> Result<()> {
    match shape.vcpus > 0 && shape.memory > Size::ZERO {
        true => Ok(()),
        false => Err(Error::invalid("a server has at least one vcpu and some memory")),
    }
}

/// Whether a server on `host` can take this volume.
pub(super) fn attachable(disk: &world::Volume, host: &str) -> Result<()> {
    if let Some(other) = &disk.attached_to {
        let message = format!(
            "volume {} is attached to server {other}: detach it there first",
            disk.name
        );
        return Err(Error::conflict(message).code("disk_attached").on("volume", &disk.id));
    }
    if disk.host != host {
        let message = format!("volume {} is on host {}, the server on {host}", disk.name, disk.host);
        return Err(Error::invalid(message).on("volume", &disk.id));
    }
    Ok(())
}

/// The server goes, its disks stay.
pub(crate) fn removal(world: &World, row: &world::Machine) -> Vec<Change> {
    let disks = row.disks.iter().filter_map(|id| world.volumes.get(id)).map(|disk| {
        Change::Volume(world::Volume {
            attached_to: None,
            ..disk.clone()
        })
    });
    let gone = [
        Change::Deleted {
            key: Effect::key(FAMILY, row.token.as_str()),
        },
        Change::MachineGone(row.id.clone()),
    ];
    disks.chain(gone).collect()
}
