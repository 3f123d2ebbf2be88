//! Storages by row, with the hosts that reach each: a shared storage is one fact, however many hosts name it.

use std::collections::{BTreeMap, BTreeSet};

use types::StorageId;

use super::add;
use crate::{Storage, bitmap::Row};

/// A row is given to an id the first time anything names it and is kept for good.
#[derive(Clone, Debug, Default)]
pub struct Storages {
    by_id: BTreeMap<StorageId, Row>,
    facts: Vec<Option<Storage>>,
    hosts: Vec<BTreeSet<Row>>,
}

impl Storages {
    pub fn upsert(&mut self, storage: Storage) {
        let row = self.intern(storage.id);
        self.facts[row as usize] = Some(storage);
    }

    pub fn remove(&mut self, id: StorageId) -> Option<Storage> {
        self.facts[*self.by_id.get(&id)? as usize].take()
    }

    pub fn find(&self, id: StorageId) -> Option<&Storage> {
        self.fact(*self.by_id.get(&id)?)
    }

    pub fn fact(&self, row: Row) -> Option<&Storage> {
        self.facts[row as usize].as_ref()
    }

    pub fn hosts(&self, row: Row) -> impl Iterator<Item = Row> {
        self.hosts[row as usize].iter().copied()
    }

    /// The same by id; nobody shares what was never named.
    pub fn sharers(&self, id: StorageId) -> impl Iterator<Item = Row> {
        let row = self.by_id.get(&id).into_iter();
        row.flat_map(|row| self.hosts(*row))
    }

    pub fn attach(&mut self, id: StorageId, host: Row) -> Row {
        let row = self.intern(id);
        self.hosts[row as usize].insert(host);
        row
    }

    pub fn detach(&mut self, row: Row, host: Row) {
        self.hosts[row as usize].remove(&host);
    }

    pub fn book(&mut self, id: StorageId, change: i64) {
        let row = self.by_id.get(&id).map(|row| *row as usize);
        if let Some(storage) = row.and_then(|row| self.facts[row].as_mut()) {
            add(&mut storage.space.used, change);
        }
    }

    fn intern(&mut self, id: StorageId) -> Row {
        *self.by_id.entry(id).or_insert_with(|| {
            self.facts.push(None);
            self.hosts.push(BTreeSet::new());
            self.facts.len() as Row - 1
        })
    }
}
