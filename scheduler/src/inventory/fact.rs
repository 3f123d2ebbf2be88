//! Rows become the engine's facts. A row that makes no sense is left out with a warning, never its neighbours.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Amount, Host, Snapshot, Storage};
use types::{Error, HostId, Result, StorageId};

use super::rows::{host, storage};
use crate::claim::group;

/// What was read, not yet in a snapshot.
pub struct Facts {
    hosts: Vec<Host>,
    storages: Vec<Storage>,
    /// The host of each storage.
    places: BTreeMap<HostId, BTreeSet<StorageId>>,
}

impl Facts {
    pub fn new(hosts: Vec<host::Model>, storages: Vec<storage::Model>, members: Vec<group::Model>) -> Self {
        let mut groups: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
        for member in members {
            *groups
                .entry(member.host_id)
                .or_default()
                .entry(member.name)
                .or_default() += 1;
        }
        let mut places: BTreeMap<HostId, BTreeSet<StorageId>> = BTreeMap::new();
        let storages = storages.into_iter().filter_map(|row| {
            let name = row.name.clone();
            let (host, storage) = sound("storage", &name, storage_fact(row))?;
            places.entry(host).or_default().insert(storage.id);
            Some(storage)
        });
        let storages = storages.collect();
        let hosts = hosts.into_iter().filter_map(|row| {
            let groups = groups.remove(&row.id).unwrap_or_default();
            let name = row.name.clone();
            sound("host", &name, host_fact(row, groups))
        });
        Self {
            hosts: hosts.collect(),
            storages,
            places,
        }
    }

    /// When everything was read.
    pub fn whole(mut self) -> Snapshot {
        for host in &mut self.hosts {
            host.storages = self.places.remove(&host.id).unwrap_or_default();
        }
        Snapshot::new(self.hosts, self.storages)
    }

    /// When what changed was read: storages that were not read stay where they are.
    pub fn add(mut self, snapshot: &mut Snapshot) {
        self.storages.into_iter().for_each(|s| snapshot.upsert_storage(s));
        for mut host in self.hosts {
            host.storages = self.places.remove(&host.id).unwrap_or_default();
            if let Some(known) = snapshot.host(host.id) {
                host.storages.extend(&known.storages);
            }
            snapshot.upsert(host);
        }
        for (id, storages) in self.places {
            let known = snapshot.host(id).filter(|host| !storages.is_subset(&host.storages));
            if let Some(mut host) = known.cloned() {
                host.storages.extend(storages);
                snapshot.upsert(host);
            }
        }
    }

    /// When all of some hosts was read: whatever was not found of them is gone.
    pub fn replace(mut self, snapshot: &mut Snapshot, ids: &[String]) {
        for id in ids.iter().filter_map(|id| id.parse().ok()) {
            let gone = snapshot.remove(id).map(|host| host.storages).unwrap_or_default();
            for storage in gone {
                snapshot.remove_storage(storage);
            }
        }
        self.storages.into_iter().for_each(|s| snapshot.upsert_storage(s));
        for mut host in self.hosts {
            host.storages = self.places.remove(&host.id).unwrap_or_default();
            snapshot.upsert(host);
        }
    }
}

fn sound<T>(noun: &str, name: &str, fact: Result<T>) -> Option<T> {
    fact.map_err(|error| tracing::warn!(noun, name, error = error.chain(), "a row is left out of placement"))
        .ok()
}

fn host_fact(row: host::Model, groups: BTreeMap<String, u32>) -> Result<Host> {
    let tags: Vec<String> = serde_json::from_str(&row.tags)
        .map_err(|e| Error::broken("its tags are not a JSON list of texts").because(e))?;
    Ok(Host {
        id: row.id.parse()?,
        name: row.name,
        zone: Some(row.zone_id.parse()?),
        account: row.account_id.parse()?,
        driver: row.driver,
        hypervisor: row.hypervisor,
        architecture: row.architecture,
        state: row.state.parse()?,
        enabled: row.intent == ENABLED,
        tags: tags.into_iter().map(tag).collect(),
        vcpus: Amount {
            total: row.vcpus,
            reserved: 0,
            used: row.vcpus_used,
            ratio: ratio(row.cpu_overcommit),
        },
        memory: Amount {
            total: row.memory,
            reserved: row.memory_reserved,
            used: row.memory_used,
            ratio: ratio(row.memory_overcommit),
        },
        storages: BTreeSet::new(),
        networks: BTreeSet::new(),
        images: BTreeSet::new(),
        groups,
    })
}

/// The operator's intent that lets a host have new servers.
pub const ENABLED: &str = "enabled";

fn storage_fact(row: storage::Model) -> Result<(HostId, Storage)> {
    let host = row.host_id.parse()?;
    let storage = Storage {
        id: row.id.parse()?,
        name: row.name,
        class: row.backend,
        tags: BTreeMap::new(),
        enabled: row.enabled,
        space: Amount {
            used: row.claimed,
            ..Amount::of(row.capacity)
        },
    };
    Ok((host, storage))
}

/// `rack=a` is a key and a value, `gpu` a key alone.
fn tag(text: String) -> (String, String) {
    match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (text, String::new()),
    }
}

fn ratio(thousandths: i64) -> u32 {
    u32::try_from(thousandths.max(0)).unwrap_or(u32::MAX)
}
