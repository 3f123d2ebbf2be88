//! One request against one snapshot, with what this decision has already given away.
//! Everything that reads numbers of a host goes through here, so that later servers of a batch see earlier ones.

use std::collections::BTreeMap;

use crate::{
    Filter, Request, Rule, Snapshot,
    bitmap::Row,
    disk, filter,
    score::{self, Taste},
    snapshot::{Key, bytes},
};

pub struct Query<'a> {
    pub snapshot: &'a Snapshot,
    pub request: &'a Request,
    pub draft: Draft,
    pub taste: Taste<'a>,
}

/// Placements of the request that are decided and not yet in the snapshot.
#[derive(Default)]
pub struct Draft {
    pub servers: BTreeMap<Row, u32>,
    pub pools: BTreeMap<Row, i64>,
}

impl<'a> Query<'a> {
    pub fn new(snapshot: &'a Snapshot, request: &'a Request) -> Self {
        Self {
            snapshot,
            request,
            draft: Draft::default(),
            taste: Taste::new(snapshot, request),
        }
    }

    /// Whether this host has the numbers; the bitmaps are not asked.
    pub fn passes(&self, filter: Filter, row: Row) -> bool {
        match filter {
            Filter::Cpu => self.free_vcpus(row) >= self.vcpus(),
            Filter::Memory => self.free_memory(row) >= self.memory(),
            Filter::Storage => self.request.disks.is_empty() || disk::choose(self, row).is_some(),
            _ => true,
        }
    }

    /// The score of a host that the bitmaps left, if it also has room and its groups still agree.
    pub fn rate(&self, row: Row) -> Option<i64> {
        if !self.passes(Filter::Cpu, row) || !self.passes(Filter::Memory, row) || !self.groups_agree(row) {
            return None;
        }
        let pools = disk::choose(self, row)?;
        Some(score::terms(self, row, &pools).iter().map(|points| points.points).sum())
    }

    /// Gives a host that the bitmaps left servers until it takes no more, or `most`; how many that were.
    pub fn fill(&mut self, row: Row, most: u32) -> u32 {
        for given in 0..most {
            let fits = self.passes(Filter::Cpu, row) && self.passes(Filter::Memory, row) && self.groups_agree(row);
            match fits.then(|| disk::choose(self, row)).flatten() {
                Some(pools) => self.take(row, &pools),
                None => return given,
            }
        }
        most
    }

    /// Notes that one server goes to this host with its disks in these pools.
    pub fn take(&mut self, row: Row, pools: &[Row]) {
        *self.draft.servers.entry(row).or_default() += 1;
        for (pool, disk) in pools.iter().zip(&self.request.disks) {
            *self.draft.pools.entry(*pool).or_default() += bytes(disk.size);
        }
    }

    pub fn vcpus(&self) -> i64 {
        i64::from(self.request.vcpus)
    }

    pub fn memory(&self) -> i64 {
        bytes(self.request.memory)
    }

    pub fn free_vcpus(&self, row: Row) -> i64 {
        let given = self.drafted(row).saturating_mul(self.vcpus());
        self.snapshot.vcpus().free[row as usize].saturating_sub(given)
    }

    pub fn free_memory(&self, row: Row) -> i64 {
        let given = self.drafted(row).saturating_mul(self.memory());
        self.snapshot.memory().free[row as usize].saturating_sub(given)
    }

    pub fn free_space(&self, pool: Row) -> i64 {
        let free = self.snapshot.pool(pool).map_or(0, |storage| storage.space.free());
        free.saturating_sub(self.draft.pools.get(&pool).copied().unwrap_or(0))
    }

    /// How many members of a group of the request this host has.
    pub fn members(&self, row: Row, group: &str) -> i64 {
        let known = self.snapshot.fact(row).and_then(|host| host.groups.get(group));
        known.map_or(0, |members| i64::from(*members)) + self.drafted(row)
    }

    /// Whether a group has no member on any host.
    pub fn is_unborn(&self, group: &str) -> bool {
        self.draft.servers.is_empty() && self.snapshot.marked(&Key::Group(group.to_owned())).is_empty()
    }

    /// Whether the next server is the first of a group that must stay together, so that all others follow it.
    pub fn founds_a_group(&self) -> bool {
        let mut strict = self.request.groups.iter().filter(|group| group.rule == Rule::Together);
        strict.any(|group| self.is_unborn(&group.name))
    }

    pub fn groups_agree(&self, row: Row) -> bool {
        self.request.groups.iter().all(|group| match group.rule {
            Rule::Together => self.members(row, &group.name) > 0 || self.is_unborn(&group.name),
            Rule::Apart => self.members(row, &group.name) == 0,
            Rule::PreferTogether | Rule::PreferApart => true,
        })
    }

    /// Hosts that the bitmaps leave.
    pub fn survivors(&self) -> crate::bitmap::Bitmap {
        let mut left = self.snapshot.rows().clone();
        filter::clauses(self).iter().for_each(|clause| clause.apply(&mut left));
        left
    }

    fn drafted(&self, row: Row) -> i64 {
        self.draft.servers.get(&row).map_or(0, |servers| i64::from(*servers))
    }
}
