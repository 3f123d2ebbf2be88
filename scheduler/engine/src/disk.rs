//! Which storage each disk of a server goes to on a given host: the first complete choice in order of preference.
//! Hosts are not compared here.

use std::{cmp::Reverse, collections::BTreeSet};

use types::StorageId;

use crate::{Disk, Storage, Strategy, bitmap::Row, host::has_tag, query::Query, snapshot::bytes};

/// Dead ends to remember before a host counts as full; only dozens of unequal disks on many storages come near.
const DEAD_ENDS: usize = 20_000;

/// One storage for each disk, in the order of the request, or `None` if they do not all fit.
///
/// Disk by disk, the fullest storage that admits it comes first when packing, the emptiest when spreading, among
/// equals the lowest id. A choice that leaves a later disk without room is taken back.
pub fn choose(query: &Query, row: Row) -> Option<Vec<Row>> {
    let disks = &query.request.disks;
    match disks.as_slice() {
        [] => return Some(Vec::new()),
        [disk] => return only(query, row, disk).map(|pool| vec![pool]),
        _ => {}
    }
    let mut search = Search {
        disks,
        strategy: query.request.strategy,
        pools: query
            .snapshot
            .pools(row)
            .map(|(row, storage)| Pool {
                row,
                storage,
                free: query.free_space(row),
            })
            .collect(),
        chosen: Vec::with_capacity(disks.len()),
        dead: BTreeSet::new(),
    };
    let found = search.place_next();
    found.then(|| search.chosen.iter().map(|at| search.pools[*at].row).collect())
}

/// The same for a single disk, which is most requests: no search, nothing remembered.
fn only(query: &Query, row: Row, disk: &Disk) -> Option<Row> {
    let size = bytes(disk.size);
    let pools = query.snapshot.pools(row);
    let roomy = pools.filter_map(|(pool, storage)| {
        let free = query.free_space(pool);
        (free >= size && admits(storage, disk)).then_some((free, storage.id, pool))
    });
    let best = match query.request.strategy {
        Strategy::Pack => roomy.min_by_key(|(free, id, _)| (*free, *id)),
        Strategy::Spread => roomy.min_by_key(|(free, id, _)| (Reverse(*free), *id)),
    };
    best.map(|(.., pool)| pool)
}

/// Whether a storage is of the kind a disk asks for.
pub fn admits(storage: &Storage, disk: &Disk) -> bool {
    storage.enabled
        && disk.storage.is_none_or(|id| id == storage.id)
        && disk.class.as_ref().is_none_or(|class| *class == storage.class)
        && disk.tags.iter().all(|tag| has_tag(&storage.tags, tag))
}

struct Search<'a> {
    disks: &'a [Disk],
    strategy: Strategy,
    pools: Vec<Pool<'a>>,
    chosen: Vec<usize>,
    /// Disks placed and room left, from where the rest cannot be placed.
    dead: BTreeSet<(usize, Vec<i64>)>,
}

struct Pool<'a> {
    row: Row,
    storage: &'a Storage,
    free: i64,
}

impl Search<'_> {
    /// Places the disks after those in `chosen`; leaves everything as it was if it cannot.
    fn place_next(&mut self) -> bool {
        let Some(disk) = self.disks.get(self.chosen.len()) else {
            return true;
        };
        let size = bytes(disk.size);
        let preferred = self.preferred(disk);
        let is_last = self.chosen.len() + 1 == self.disks.len();
        for at in preferred {
            self.pools[at].free -= size;
            self.chosen.push(at);
            if is_last || (!self.is_dead() && self.place_next()) {
                return true;
            }
            self.bury();
            self.chosen.pop();
            self.pools[at].free += size;
        }
        false
    }

    fn preferred(&self, disk: &Disk) -> Vec<usize> {
        let fits = |pool: &Pool| pool.free >= bytes(disk.size) && admits(pool.storage, disk);
        let mut order: Vec<usize> = (0..self.pools.len()).filter(|at| fits(&self.pools[*at])).collect();
        let key = |at: &usize| -> (i64, StorageId) { (self.pools[*at].free, self.pools[*at].storage.id) };
        match self.strategy {
            Strategy::Pack => order.sort_by_key(key),
            Strategy::Spread => order.sort_by_key(|at| (Reverse(key(at).0), key(at).1)),
        }
        order
    }

    fn is_dead(&self) -> bool {
        self.dead.len() >= DEAD_ENDS || (!self.dead.is_empty() && self.dead.contains(&self.state()))
    }

    fn bury(&mut self) {
        let state = self.state();
        self.dead.insert(state);
    }

    fn state(&self) -> (usize, Vec<i64>) {
        (self.chosen.len(), self.pools.iter().map(|pool| pool.free).collect())
    }
}
