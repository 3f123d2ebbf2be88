//! Which hosts have a property: one bitmap per property that at least one host has.

use std::collections::BTreeMap;

use types::{AccountId, NetworkId, ZoneId};

use crate::{
    Host,
    bitmap::{Bitmap, Row},
};

/// A property a request may ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    TakesServers,
    Account(AccountId),
    Driver(String),
    Zone(ZoneId),
    Architecture(String),
    Hypervisor(String),
    Network(NetworkId),
    /// `key` and `key=value`.
    Tag(String),
    Image(String),
    /// Has a member of the group.
    Group(String),
}

#[derive(Clone, Debug, Default)]
pub struct Index {
    sets: BTreeMap<Key, Bitmap>,
    none: Bitmap,
}

impl Index {
    pub fn get(&self, key: &Key) -> &Bitmap {
        self.sets.get(key).unwrap_or(&self.none)
    }

    pub fn add(&mut self, row: Row, host: &Host) {
        keys(host).into_iter().for_each(|key| self.mark(key, row));
    }

    pub fn take(&mut self, row: Row, host: &Host) {
        keys(host).iter().for_each(|key| self.clear(key, row));
    }

    pub fn mark(&mut self, key: Key, row: Row) {
        self.sets.entry(key).or_default().insert(row);
    }

    pub fn clear(&mut self, key: &Key, row: Row) {
        if let Some(set) = self.sets.get_mut(key) {
            set.remove(row);
            if set.is_empty() {
                self.sets.remove(key);
            }
        }
    }
}

fn keys(host: &Host) -> Vec<Key> {
    let mut keys = vec![
        Key::Account(host.account),
        Key::Driver(host.driver.clone()),
        Key::Architecture(host.architecture.clone()),
        Key::Hypervisor(host.hypervisor.clone()),
    ];
    keys.extend(host.takes_servers().then_some(Key::TakesServers));
    keys.extend(host.zone.map(Key::Zone));
    keys.extend(host.networks.iter().copied().map(Key::Network));
    keys.extend(host.images.iter().cloned().map(Key::Image));
    for (key, value) in &host.tags {
        keys.push(Key::Tag(key.clone()));
        keys.push(Key::Tag(format!("{key}={value}")));
    }
    let members = host.groups.iter().filter(|(_, members)| **members > 0);
    keys.extend(members.map(|(name, _)| Key::Group(name.clone())));
    keys
}
