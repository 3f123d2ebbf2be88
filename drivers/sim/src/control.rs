//! The simulated cloud's other side, for tests: its whole truth, and what can happen behind Isobar's back.
//! Not part of the driver; nothing of the product uses it.

use std::sync::Arc;

use contract::{Error, ExternalRef, Kind, Result, Site};
use types::states::Power;

use crate::{
    Options, compute,
    store::{self, Store},
    world::{Change, Effect, Failure, Host, Machine, Side, Volume, World},
};

/// Opens the same cloud that a connection with the same site sees, in this process or, with `state`, in any.
#[derive(Clone)]
pub struct Control {
    store: Arc<Store>,
}

/// Whether a host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Answers,
    Silent,
}

impl Control {
    pub fn open(site: &Site) -> Result<Self> {
        let options = Options::read(&site.credential)?;
        Ok(Self {
            store: store::open(&site.account, &options)?,
        })
    }

    /// Everything that exists now.
    pub async fn world(&self) -> Result<World> {
        self.store.read(World::clone).await
    }

    /// What each token made and deleted, by `family/token`.
    pub async fn effects(&self) -> Result<Vec<(String, Effect)>> {
        let all = |world: &World| world.effects.iter().map(|(k, e)| (k.clone(), e.clone())).collect();
        self.store.read(all).await
    }

    /// Tokens that made something more than once: nothing of the product may ever do that.
    pub async fn doubled(&self) -> Result<Vec<String>> {
        let doubled = |world: &World| {
            let made = world.effects.iter().filter(|(_, effect)| effect.made > 1);
            made.map(|(key, _)| key.clone()).collect()
        };
        self.store.read(doubled).await
    }

    /// Cuts a server's power.
    pub async fn power_off(&self, machine: &ExternalRef) -> Result<()> {
        self.change_machine(machine, |row| row.power = Power::Off).await
    }

    pub async fn crash(&self, machine: &ExternalRef) -> Result<()> {
        self.change_machine(machine, |row| row.power = Power::Crashed).await
    }

    /// Its guest gives its sign of life, whatever `boot_ms` says.
    pub async fn come_up(&self, machine: &ExternalRef) -> Result<()> {
        self.change_machine(machine, |row| row.on_at = 0).await
    }

    /// From now on its guest ignores soft stops and reboots.
    pub async fn deafen(&self, machine: &ExternalRef) -> Result<()> {
        self.change_machine(machine, |row| row.deaf = true).await
    }

    /// Removes a server; its disks stay.
    pub async fn remove(&self, machine: &ExternalRef) -> Result<()> {
        let act = |world: &World, changes: &mut Vec<Change>| {
            changes.extend(compute::removal(world, compute::find(world, machine.as_str())?));
            Ok(())
        };
        self.store.write(act).await
    }

    /// Writes to a volume, as its guest would.
    pub async fn write_volume(&self, volume: &ExternalRef, content: &str) -> Result<()> {
        let act = |world: &World, changes: &mut Vec<Change>| {
            let row = world.volumes.get(volume.as_str());
            let row = row.ok_or_else(|| Error::not_found("volume", volume))?.clone();
            changes.push(Change::Volume(Volume {
                content: content.to_owned(),
                ..row
            }));
            Ok(())
        };
        self.store.write(act).await
    }

    /// Takes a host off the air or brings it back.
    pub async fn reach(&self, host: &ExternalRef, reach: Reach) -> Result<()> {
        let act = |world: &World, changes: &mut Vec<Change>| {
            let row = world.hosts.get(host.as_str());
            let row = row.ok_or_else(|| Error::not_found("host", host))?.clone();
            changes.push(Change::Host(Host {
                reachable: reach == Reach::Answers,
                ..row
            }));
            Ok(())
        };
        self.store.write(act).await
    }

    /// Takes a host out of the cloud for good, with the networks on it.
    pub async fn remove_host(&self, host: &ExternalRef) -> Result<()> {
        let act = |world: &World, changes: &mut Vec<Change>| {
            let there = world
                .networks
                .values()
                .filter(|row| row.host.as_deref() == Some(host.as_str()));
            changes.extend(there.map(|row| Change::NetworkGone(row.id.clone())));
            changes.push(Change::HostGone(host.to_string()));
            Ok(())
        };
        self.store.write(act).await
    }

    /// The next `times` calls of `method` (`family.method`; `None` for any) fail, by whichever process they come.
    pub async fn fail_next(&self, method: Option<&str>, times: u32, side: Side, kind: Kind) -> Result<()> {
        let failure = Failure {
            method: method.map(str::to_owned),
            left: times,
            side,
            kind,
        };
        let act = |world: &World, changes: &mut Vec<Change>| {
            let failures = world.failures.iter().cloned().chain([failure]);
            changes.push(Change::Failures(failures.filter(|f| f.left > 0).collect()));
            Ok(())
        };
        self.store.write(act).await
    }

    async fn change_machine(&self, machine: &ExternalRef, change: impl FnOnce(&mut Machine)) -> Result<()> {
        let act = |world: &World, changes: &mut Vec<Change>| {
            let mut row = compute::find(world, machine.as_str())?.clone();
            row.power = row.heading();
            row.turn = None;
            change(&mut row);
            changes.push(Change::Machine(row));
            Ok(())
        };
        self.store.write(act).await
    }
}
