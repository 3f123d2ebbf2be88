//! Simulated servers: what the family's methods read and decide to write.

mod create;
mod power;

use async_trait::async_trait;
use contract::{
    Call, Compute, Cursor, Error, ExternalRef, Machine, MachineSpec, Op, Page, Result, Token,
    compute::{Shape, Sign, Stop},
};
use types::{Size, states::Power};

use crate::{
    cloud::{Draft, SimCloud, external},
    console, disk,
    place::{self, Need},
    world::{self, Change, World},
};

/// The family in tokens and effects.
pub(crate) const FAMILY: &str = "compute";

pub(crate) use create::removal;

#[async_trait]
impl Compute for SimCloud {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Machine>> {
        self.look(call, "compute.list", |world, now| {
            Ok(self.page(&world.machines, from, |row| self.show(world, row, now)))
        })
        .await
    }

    async fn get(&self, call: &Call, machine: &ExternalRef) -> Result<Machine> {
        self.look(call, "compute.get", |world, now| {
            let row = find(world, machine.as_str())?;
            Ok(self.show(world, row, now))
        })
        .await
    }

    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Machine>> {
        self.look(call, "compute.find", |world, now| {
            let id = world.live(FAMILY, token.as_str());
            let row = id.and_then(|id| world.machines.get(id));
            Ok(row.map(|row| self.show(world, row, now)))
        })
        .await
    }

    async fn create(&self, call: &Call, spec: &MachineSpec, token: &Token) -> Result<Op<ExternalRef>> {
        self.slow(call, "compute.create", |draft, _| create::create(draft, spec, token))
            .await
    }

    async fn delete(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "compute.delete", |draft, _| {
            draft.subject = machine.to_string();
            if draft.world.machines.contains_key(machine.as_str()) {
                let row = reach(draft.world, machine)?;
                draft.changes.extend(removal(draft.world, row));
            }
            Ok(())
        })
        .await
    }

    async fn start(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "compute.start", |draft, latency| {
            power::start(draft, machine, latency)
        })
        .await
    }

    async fn stop(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>> {
        // The guest takes its time; the call does not.
        let latency = self.options.latency_ms;
        self.quick(call, "compute.stop", |draft| power::stop(draft, machine, how, latency))
            .await
            .map(Op::Done)
    }

    async fn reboot(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>> {
        self.slow(call, "compute.reboot", |draft, _| power::reboot(draft, machine, how))
            .await
    }

    async fn resize(&self, call: &Call, machine: &ExternalRef, shape: Shape) -> Result<Op<()>> {
        self.slow(call, "compute.resize", |draft, _| resize(draft, machine, shape))
            .await
    }

    async fn attach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "compute.attach", |draft, _| attach(draft, machine, volume))
            .await
    }

    async fn detach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>> {
        self.slow(call, "compute.detach", |draft, _| detach(draft, machine, volume))
            .await
    }

    async fn console_log(&self, call: &Call, machine: &ExternalRef, limit: usize) -> Result<String> {
        self.look(call, "compute.console_log", |world, now| {
            let row = reach(world, machine)?;
            Ok(console::tail(console::text(world, row, now), limit))
        })
        .await
    }
}

fn resize(draft: &mut Draft<'_>, machine: &ExternalRef, shape: Shape) -> Result<()> {
    draft.subject = machine.to_string();
    let row = reach(draft.world, machine)?.clone();
    if row.shape == shape {
        return Ok(());
    }
    if row.heading() == Power::On {
        let message = format!("server {} runs: stop it before it is resized", row.name);
        return Err(Error::conflict(message).code("server_running").on("server", machine));
    }
    create::sound(shape)?;
    let more = Need {
        vcpus: shape.vcpus.saturating_sub(row.shape.vcpus),
        memory: Size::bytes(shape.memory.as_bytes().saturating_sub(row.shape.memory.as_bytes())),
        disk: Size::ZERO,
    };
    place::check(draft.world, place::reach(draft.world, &row.host)?, more)?;
    draft.push(Change::Machine(world::Machine { shape, ..row }));
    Ok(())
}

fn attach(draft: &mut Draft<'_>, machine: &ExternalRef, volume: &ExternalRef) -> Result<()> {
    draft.subject = machine.to_string();
    let mut row = reach(draft.world, machine)?.clone();
    let disk = disk::find(draft.world, volume.as_str())?;
    if disk.attached_to.as_deref() == Some(machine.as_str()) {
        return Ok(());
    }
    create::attachable(disk, &row.host)?;
    row.disks.push(disk.id.clone());
    draft.push(Change::Volume(world::Volume {
        attached_to: Some(row.id.clone()),
        ..disk.clone()
    }));
    draft.push(Change::Machine(row));
    Ok(())
}

fn detach(draft: &mut Draft<'_>, machine: &ExternalRef, volume: &ExternalRef) -> Result<()> {
    draft.subject = machine.to_string();
    let mut row = reach(draft.world, machine)?.clone();
    if !row.disks.iter().any(|id| id == volume.as_str()) {
        return Ok(());
    }
    row.disks.retain(|id| id != volume.as_str());
    draft.push(Change::Machine(row));
    if let Some(disk) = draft.world.volumes.get(volume.as_str()) {
        draft.push(Change::Volume(world::Volume {
            attached_to: None,
            ..disk.clone()
        }));
    }
    Ok(())
}

pub(crate) fn find<'a>(world: &'a World, id: &str) -> Result<&'a world::Machine> {
    world.machines.get(id).ok_or_else(|| Error::not_found("server", id))
}

/// The server, when its host answers.
fn reach<'a>(world: &'a World, machine: &ExternalRef) -> Result<&'a world::Machine> {
    let row = find(world, machine.as_str())?;
    place::reach(world, &row.host)?;
    Ok(row)
}

impl SimCloud {
    fn show(&self, world: &World, row: &world::Machine, now: u64) -> Machine {
        let silent = world.hosts.get(&row.host).is_none_or(|host| !host.reachable);
        let power = if silent { Power::Unknown } else { row.power(now) };
        let sign = match now >= row.on_at + self.options.boot_ms {
            true => Sign::Given,
            false => Sign::Awaited,
        };
        Machine {
            id: external(&row.id),
            name: row.name.clone(),
            token: Some(row.token.clone()),
            power,
            host: Some(external(&row.host)),
            shape: row.shape,
            disks: row.disks.iter().map(|id| external(id)).collect(),
            addresses: console::addresses(world, row).collect(),
            sign: (power == Power::On).then_some(sign),
        }
    }
}
