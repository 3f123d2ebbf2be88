//! Where a new thing goes, and whether there is room for it.

use contract::{Error, Kind, Result, site::Place};
use types::Size;

use crate::world::{Host, World};

/// What a thing takes of its host.
#[derive(Clone, Copy, Default)]
pub(crate) struct Need {
    pub vcpus: u32,
    pub memory: Size,
    pub disk: Size,
}

/// The host that was asked for, or the emptiest that has room.
pub(crate) fn choose(world: &World, place: &Place, need: Need) -> Result<String> {
    if let Some(id) = &place.host {
        let host = reach(world, id.as_str())?;
        check(world, host, need)?;
        return Ok(host.id.clone());
    }
    let free = |host: &&Host| host.memory.as_bytes().saturating_sub(taken(world, host).memory);
    let fits = |host: &&Host| host.reachable && check(world, host, need).is_ok();
    let best = world.hosts.values().filter(fits).max_by_key(free);
    best.map(|host| host.id.clone())
        .ok_or_else(|| Error::new(Kind::Capacity, "no host of the simulated cloud has room for this"))
}

/// The host, when it answers.
pub(crate) fn reach<'a>(world: &'a World, id: &str) -> Result<&'a Host> {
    let host = world.hosts.get(id).ok_or_else(|| Error::not_found("host", id))?;
    match host.reachable {
        true => Ok(host),
        false => Err(Error::unavailable(format!("host {} does not answer", host.name)).on("host", id)),
    }
}

/// Whether `need` fits beside what is there.
pub(crate) fn check(world: &World, host: &Host, need: Need) -> Result<()> {
    let used = taken(world, host);
    let vcpus = u64::from(host.vcpus) * u64::from(host.overcommit);
    for (what, limit, used, need) in [
        ("vcpus", vcpus, used.vcpus, u64::from(need.vcpus)),
        ("memory", host.memory.as_bytes(), used.memory, need.memory.as_bytes()),
        ("disk", host.disk.as_bytes(), used.disk, need.disk.as_bytes()),
    ] {
        if need > 0 && used + need > limit {
            let message = format!(
                "host {} has no room: {need} of {what} wanted, {} free",
                host.name,
                limit.saturating_sub(used)
            );
            return Err(Error::new(Kind::Capacity, message).on("host", &host.id));
        }
    }
    Ok(())
}

fn taken(world: &World, host: &Host) -> crate::world::Used {
    world.used.get(&host.id).copied().unwrap_or_default()
}
