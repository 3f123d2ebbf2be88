//! All hosts and storages as they are believed to be now: facts by row, and columns and bitmaps derived from them.
//! Changed one host at a time; it decides nothing and never refuses a charge, because the database has already decided.

mod index;
mod storages;

use std::{collections::BTreeMap, fmt};

use types::{Error, HostId, StorageId};

use crate::{
    Demand, Host, Storage,
    bitmap::{Bitmap, Row},
    shape::Shapes,
};
use index::Index;
pub(crate) use index::Key;
use storages::Storages;

/// Hosts in columns. Every row that [`Snapshot::rows`] does not hold is a hole left by a removed host.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    by_id: BTreeMap<HostId, Row>,
    facts: Vec<Option<Host>>,
    holes: Vec<Row>,
    live: Bitmap,
    index: Index,
    vcpus: Column,
    memory: Column,
    /// Storage rows of each host.
    reach: Vec<Vec<Row>>,
    storages: Storages,
    pub(crate) shapes: Shapes,
}

/// A charge or release named a host that is not, or no longer, in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownHost(pub HostId);

impl fmt::Display for UnknownHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host {} is not in the snapshot", self.0)
    }
}

impl std::error::Error for UnknownHost {}

impl From<UnknownHost> for Error {
    fn from(unknown: UnknownHost) -> Self {
        Self::not_found("host", unknown.0)
    }
}

/// One number per row, ready to be compared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Column {
    pub limit: Vec<i64>,
    pub free: Vec<i64>,
}

impl Snapshot {
    /// Hosts and storages may come in any order; a host may name a storage that is not known yet.
    pub fn new(hosts: Vec<Host>, storages: Vec<Storage>) -> Self {
        let mut snapshot = Self::default();
        storages
            .into_iter()
            .for_each(|storage| snapshot.upsert_storage(storage));
        hosts.into_iter().for_each(|host| snapshot.upsert(host));
        snapshot
    }

    /// Adds a host or replaces all that was known about it.
    pub fn upsert(&mut self, host: Host) {
        self.remove(host.id);
        let row = self.holes.pop().unwrap_or_else(|| self.grow());
        let at = row as usize;
        self.by_id.insert(host.id, row);
        self.live.insert(row);
        self.index.add(row, &host);
        self.reach[at] = host.storages.iter().map(|id| self.storages.attach(*id, row)).collect();
        self.facts[at] = Some(host);
        self.refresh(row);
    }

    /// Forgets a host; its storages stay.
    pub fn remove(&mut self, id: HostId) -> Option<Host> {
        let row = self.by_id.remove(&id)?;
        let at = row as usize;
        let host = self.facts[at].take()?;
        self.live.remove(row);
        self.shapes.note(row);
        self.index.take(row, &host);
        for storage in self.reach[at].drain(..) {
            self.storages.detach(storage, row);
        }
        self.holes.push(row);
        Some(host)
    }

    /// Adds a storage or replaces all that was known about it.
    pub fn upsert_storage(&mut self, storage: Storage) {
        let id = storage.id;
        self.storages.upsert(storage);
        self.note_sharers(id);
    }

    /// Forgets a storage: hosts that name it no longer get disks there.
    pub fn remove_storage(&mut self, id: StorageId) -> Option<Storage> {
        let storage = self.storages.remove(id);
        self.note_sharers(id);
        storage
    }

    /// Takes a placement's demand from its host and storages. An unknown host changes nothing.
    pub fn charge(&mut self, host: HostId, demand: &Demand) -> Result<(), UnknownHost> {
        self.book(host, demand, 1)
    }

    /// Gives back what [`Snapshot::charge`] took.
    pub fn release(&mut self, host: HostId, demand: &Demand) -> Result<(), UnknownHost> {
        self.book(host, demand, -1)
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub fn host(&self, id: HostId) -> Option<&Host> {
        self.facts[*self.by_id.get(&id)? as usize].as_ref()
    }

    /// In order of id.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.by_id.values().filter_map(|row| self.facts[*row as usize].as_ref())
    }

    pub fn storage(&self, id: StorageId) -> Option<&Storage> {
        self.storages.find(id)
    }

    fn book(&mut self, id: HostId, demand: &Demand, sign: i64) -> Result<(), UnknownHost> {
        let row = *self.by_id.get(&id).ok_or(UnknownHost(id))?;
        if let Some(host) = &mut self.facts[row as usize] {
            add(&mut host.vcpus.used, sign * i64::from(demand.vcpus));
            add(&mut host.memory.used, sign * bytes(demand.memory));
            for name in &demand.groups {
                let members = host.groups.entry(name.clone()).or_default();
                *members = members.saturating_add_signed(sign as i32);
                if *members == 0 {
                    host.groups.remove(name);
                    self.index.clear(&Key::Group(name.clone()), row);
                } else {
                    self.index.mark(Key::Group(name.clone()), row);
                }
            }
        }
        for piece in &demand.disks {
            self.storages.book(piece.storage, sign * bytes(piece.size));
            self.note_sharers(piece.storage);
        }
        self.refresh(row);
        Ok(())
    }

    fn note_sharers(&mut self, storage: StorageId) {
        let Self { storages, shapes, .. } = self;
        storages.sharers(storage).for_each(|row| shapes.note(row));
    }

    fn grow(&mut self) -> Row {
        let row = self.facts.len() as Row;
        self.facts.push(None);
        self.reach.push(Vec::new());
        for column in [&mut self.vcpus, &mut self.memory] {
            column.limit.push(0);
            column.free.push(0);
        }
        row
    }

    /// Derives the number columns of one row from its facts.
    fn refresh(&mut self, row: Row) {
        let at = row as usize;
        self.shapes.note(row);
        if let Some(host) = &self.facts[at] {
            for (column, amount) in [(&mut self.vcpus, host.vcpus), (&mut self.memory, host.memory)] {
                column.limit[at] = amount.limit();
                column.free[at] = amount.free();
            }
        }
    }
}

/// What the rest of the engine reads: rows instead of ids.
impl Snapshot {
    pub(crate) fn rows(&self) -> &Bitmap {
        &self.live
    }

    /// Rows there are, holes included.
    pub(crate) fn capacity(&self) -> usize {
        self.facts.len()
    }

    pub(crate) fn row(&self, id: HostId) -> Option<Row> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn fact(&self, row: Row) -> Option<&Host> {
        self.facts[row as usize].as_ref()
    }

    pub(crate) fn marked(&self, key: &Key) -> &Bitmap {
        self.index.get(key)
    }

    pub(crate) fn vcpus(&self) -> &Column {
        &self.vcpus
    }

    pub(crate) fn memory(&self) -> &Column {
        &self.memory
    }

    /// Storages that this host can use now.
    pub(crate) fn pools(&self, row: Row) -> impl Iterator<Item = (Row, &Storage)> {
        let reach = self.reach[row as usize].iter();
        reach.filter_map(|&pool| Some((pool, self.storages.fact(pool)?)))
    }

    pub(crate) fn pool(&self, pool: Row) -> Option<&Storage> {
        self.storages.fact(pool)
    }

    /// Hosts that can use this storage.
    pub(crate) fn sharers(&self, pool: Row) -> impl Iterator<Item = Row> {
        self.storages.hosts(pool)
    }
}

pub(crate) fn bytes(size: types::Size) -> i64 {
    i64::try_from(size.as_bytes()).unwrap_or(i64::MAX)
}

/// Usage never falls below nothing, whatever is released twice.
fn add(used: &mut i64, change: i64) {
    *used = used.saturating_add(change).max(0);
}
