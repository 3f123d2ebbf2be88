//! The same decision made plainly: a list of objects, a predicate per filter, a formula, no columns and no bitmaps.
//! It shares the fact and request types with the engine and none of its code.

use engine::{Demand, Disk, Filter, Host, Request, Rule, Storage, Strategy};
use types::{HostId, StorageId};

#[derive(Clone, Default)]
pub struct World {
    pub hosts: Vec<Host>,
    pub storages: Vec<Storage>,
}

pub struct Choice {
    pub host: HostId,
    pub storages: Vec<StorageId>,
    pub score: i128,
}

/// How many hosts fail each filter first, and how many filters of place and in all the nearest host fails.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub considered: u32,
    pub placed: u32,
    pub removed: Vec<(Filter, u32)>,
    pub fewest_lacks: Option<(usize, usize)>,
}

pub fn place(world: &World, request: &Request) -> Result<Vec<Choice>, Refusal> {
    let mut world = world.clone();
    let mut chosen = Vec::new();
    for placed in 0..request.count {
        let mut fitting: Vec<&Host> = world.hosts.iter().filter(|host| fits(&world, host, request)).collect();
        if placed == 0 && request.count > 1 && founds_a_group(&world, request) {
            let roomy: Vec<_> = fitting
                .iter()
                .copied()
                .filter(|host| takes_all(&world, host.id, request))
                .collect();
            if !roomy.is_empty() {
                fitting = roomy;
            }
        }
        let choices = fitting.iter().map(|host| rate(&world, host, request));
        let best = choices.max_by_key(|choice| (choice.score, std::cmp::Reverse(choice.host)));
        let Some(best) = best else {
            return Err(refusal(&world, request, placed));
        };
        world.book(best.host, &demand(request, &best), 1);
        chosen.push(best);
    }
    Ok(chosen)
}

fn fits(world: &World, host: &Host, request: &Request) -> bool {
    FILTERS.iter().all(|filter| passes(world, host, request, *filter))
}

fn founds_a_group(world: &World, request: &Request) -> bool {
    let mut strict = request.groups.iter().filter(|group| group.rule == Rule::Together);
    strict.any(|group| world.hosts.iter().all(|host| members(host, &group.name) == 0))
}

fn takes_all(world: &World, id: HostId, request: &Request) -> bool {
    let mut world = world.clone();
    (0..request.count).all(|_| {
        let host = world.host(id).clone();
        let fits = fits(&world, &host, request);
        if fits {
            let choice = rate(&world, &host, request);
            world.book(id, &demand(request, &choice), 1);
        }
        fits
    })
}

pub fn demand(request: &Request, choice: &Choice) -> Demand {
    let mut demand = Demand {
        vcpus: request.vcpus,
        memory: request.memory,
        ..Demand::default()
    };
    for (at, storage) in choice.storages.iter().enumerate() {
        demand.disks.push(engine::Piece {
            storage: *storage,
            size: request.disks[at].size,
        });
    }
    demand.groups = request.groups.iter().map(|group| group.name.clone()).collect();
    demand
}

const FILTERS: [Filter; 13] = [
    Filter::Host,
    Filter::Account,
    Filter::Driver,
    Filter::Zone,
    Filter::Ready,
    Filter::Architecture,
    Filter::Hypervisor,
    Filter::Network,
    Filter::Tags,
    Filter::Affinity,
    Filter::Cpu,
    Filter::Memory,
    Filter::Storage,
];

impl World {
    pub fn host(&mut self, id: HostId) -> &mut Host {
        self.hosts.iter_mut().find(|host| host.id == id).unwrap()
    }

    pub fn book(&mut self, id: HostId, demand: &Demand, sign: i64) {
        let host = self.host(id);
        host.vcpus.used = (host.vcpus.used + sign * i64::from(demand.vcpus)).max(0);
        host.memory.used = (host.memory.used + sign * demand.memory.as_bytes() as i64).max(0);
        for name in &demand.groups {
            let members = i64::from(*host.groups.get(name).unwrap_or(&0)) + sign;
            host.groups.insert(name.clone(), members.max(0) as u32);
        }
        for piece in &demand.disks {
            if let Some(storage) = self.storages.iter_mut().find(|storage| storage.id == piece.storage) {
                storage.space.used = (storage.space.used + sign * piece.size.as_bytes() as i64).max(0);
            }
        }
    }

    fn storages_of(&self, host: &Host) -> Vec<&Storage> {
        self.storages
            .iter()
            .filter(|storage| host.storages.contains(&storage.id))
            .collect()
    }
}

fn passes(world: &World, host: &Host, request: &Request, filter: Filter) -> bool {
    match filter {
        Filter::Host => request.host.is_none_or(|id| id == host.id),
        Filter::Account => request.account.is_none_or(|id| id == host.account),
        Filter::Driver => request.driver.as_ref().is_none_or(|kind| *kind == host.driver),
        Filter::Zone => request.zone.is_none_or(|id| Some(id) == host.zone),
        Filter::Ready => host.enabled && host.state == types::states::Host::Ready,
        Filter::Architecture => request
            .architecture
            .as_ref()
            .is_none_or(|name| *name == host.architecture),
        Filter::Hypervisor => request.hypervisor.as_ref().is_none_or(|name| *name == host.hypervisor),
        Filter::Network => request.networks.is_subset(&host.networks),
        Filter::Tags => {
            request.tags.require.iter().all(|tag| has(&host.tags, tag))
                && !request.tags.exclude.iter().any(|tag| has(&host.tags, tag))
        }
        Filter::Affinity => request.groups.iter().all(|group| match group.rule {
            Rule::Together => {
                let everywhere: i64 = world.hosts.iter().map(|host| members(host, &group.name)).sum();
                everywhere == 0 || members(host, &group.name) > 0
            }
            Rule::Apart => members(host, &group.name) == 0,
            _ => true,
        }),
        Filter::Cpu => i64::from(request.vcpus) <= host.vcpus.limit() - host.vcpus.used,
        Filter::Memory => request.memory.as_bytes() as i64 <= host.memory.limit() - host.memory.used,
        Filter::Storage => assign(&world.storages_of(host), request, &mut Vec::new()),
    }
}

fn has(tags: &std::collections::BTreeMap<String, String>, selector: &str) -> bool {
    tags.iter()
        .any(|(key, value)| selector == key || selector == format!("{key}={value}"))
}

fn members(host: &Host, group: &str) -> i64 {
    i64::from(*host.groups.get(group).unwrap_or(&0))
}

/// Tries every way to put the disks, in order of preference; `chosen` is the first that works.
fn assign(storages: &[&Storage], request: &Request, chosen: &mut Vec<StorageId>) -> bool {
    let Some(disk) = request.disks.get(chosen.len()) else {
        return true;
    };
    let mut order: Vec<(i64, StorageId)> = Vec::new();
    for storage in storages {
        let room = left(storage, request, chosen);
        if suits(storage, disk) && room >= disk.size.as_bytes() as i64 {
            order.push((room, storage.id));
        }
    }
    order.sort_by_key(|(room, id)| match request.strategy {
        Strategy::Pack => (*room, *id),
        Strategy::Spread => (-*room, *id),
    });
    for (_, id) in order {
        chosen.push(id);
        if assign(storages, request, chosen) {
            return true;
        }
        chosen.pop();
    }
    false
}

fn suits(storage: &Storage, disk: &Disk) -> bool {
    let class = disk.class.as_ref().is_none_or(|class| *class == storage.class);
    let id = disk.storage.is_none_or(|id| id == storage.id);
    class && id && storage.enabled && disk.tags.iter().all(|tag| has(&storage.tags, tag))
}

fn left(storage: &Storage, request: &Request, chosen: &[StorageId]) -> i64 {
    let mut left = storage.space.limit() - storage.space.used;
    for (at, id) in chosen.iter().enumerate() {
        if *id == storage.id {
            left -= request.disks[at].size.as_bytes() as i64;
        }
    }
    left
}

fn rate(world: &World, host: &Host, request: &Request) -> Choice {
    let weights = &request.weights;
    let mut storages = Vec::new();
    assert!(assign(&world.storages_of(host), request, &mut storages));
    let full = |limit: i64, left: i64| {
        let left = if limit <= 0 {
            0
        } else {
            i128::from(left.max(0)) * 1000 / i128::from(limit)
        };
        if request.strategy == Strategy::Pack {
            1000 - left
        } else {
            left
        }
    };
    let vcpus_left = host.vcpus.limit() - host.vcpus.used - i64::from(request.vcpus);
    let memory_left = host.memory.limit() - host.memory.used - request.memory.as_bytes() as i64;
    let mut score = i128::from(weights.cpu) * full(host.vcpus.limit(), vcpus_left);
    score += i128::from(weights.memory) * full(host.memory.limit(), memory_left);
    if !storages.is_empty() {
        let mut sum = 0;
        for id in &storages {
            let storage = world.storages.iter().find(|storage| storage.id == *id).unwrap();
            sum += full(storage.space.limit(), left(storage, request, &storages));
        }
        score += i128::from(weights.storage) * (sum / storages.len() as i128);
    }
    let mut liked = |weight: i32, times: i64| score += i128::from(weight) * i128::from(times) * 1000;
    for tag in &request.tags.prefer {
        liked(weights.prefer, i64::from(has(&host.tags, tag)));
    }
    for tag in &request.tags.avoid {
        liked(weights.avoid, -i64::from(has(&host.tags, tag)));
    }
    for group in &request.groups {
        match group.rule {
            Rule::PreferTogether => liked(weights.group, members(host, &group.name).min(100)),
            Rule::PreferApart => liked(weights.group, -members(host, &group.name).min(100)),
            _ => {}
        }
    }
    liked(
        weights.image,
        i64::from(request.image.as_ref().is_some_and(|image| host.images.contains(image))),
    );
    liked(weights.last_host, i64::from(request.last_host == Some(host.id)));
    Choice {
        host: host.id,
        storages,
        score,
    }
}

fn refusal(world: &World, request: &Request, placed: u32) -> Refusal {
    let mut counts = vec![0; FILTERS.len()];
    let mut fewest_lacks = None;
    for host in &world.hosts {
        let fails: Vec<usize> = (0..FILTERS.len())
            .filter(|at| !passes(world, host, request, FILTERS[*at]))
            .collect();
        counts[fails[0]] += 1;
        let lacks = (fails.iter().filter(|at| **at < 4).count(), fails.len());
        fewest_lacks = Some(fewest_lacks.map_or(lacks, |fewest: (usize, usize)| fewest.min(lacks)));
    }
    Refusal {
        considered: world.hosts.len() as u32,
        placed,
        removed: FILTERS
            .into_iter()
            .zip(counts)
            .filter(|(_, hosts)| *hosts > 0)
            .collect(),
        fewest_lacks,
    }
}
