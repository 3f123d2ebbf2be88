//! The decision itself: bitmaps, then numbers, then the best; again for each server of a batch.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use types::HostId;

use crate::{
    Placement, Plan, Request, Rule, Snapshot,
    bitmap::{Bitmap, Row},
    disk, explain,
    query::{Draft, Query},
    score,
};

/// Chooses a host and storages for each of `request.count` servers, all or none.
///
/// The highest score wins, among equals the lowest host id. Each server sees those before it as if they were there;
/// the first of a group that must stay together goes where all of them have room.
pub fn place(snapshot: &Snapshot, request: &Request) -> Plan {
    let mut query = Query::new(snapshot, request);
    let mut ranking = Ranking::of(&query);
    let mut placements = Vec::new();
    while placements.len() < request.count as usize {
        let best = ranking.best();
        let Some((row, placement)) = best.and_then(|row| Some((row, settle(&mut query, row)?))) else {
            return Plan::NoFit(explain::explanation(&query, placements.len() as u32));
        };
        placements.push(placement);
        if placements.len() < request.count as usize {
            ranking.update(&query, row);
        }
    }
    Plan::Placed(placements)
}

/// Gives the host one server and says why.
pub fn settle(query: &mut Query, row: Row) -> Option<Placement> {
    let snapshot = query.snapshot;
    let host = snapshot.fact(row)?;
    let pools = disk::choose(query, row)?;
    let terms = score::terms(query, row, &pools);
    query.take(row, &pools);
    Some(Placement {
        host: host.id,
        name: host.name.clone(),
        storages: pools.iter().filter_map(|pool| Some(snapshot.pool(*pool)?.id)).collect(),
        score: terms.iter().map(|points| points.points).sum(),
        why: terms.into_iter().filter(|points| points.points != 0).collect(),
    })
}

/// Hosts that pass every filter, the best on top.
struct Ranking {
    /// What the bitmaps left, with or without room.
    survivors: Bitmap,
    heap: BinaryHeap<Candidate>,
    /// Hosts whose entries in the heap may be out of date, and their score now, if they still fit.
    rated: BTreeMap<Row, Option<i64>>,
}

/// In ascending order of preference.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    score: i64,
    id: Reverse<HostId>,
    row: Row,
}

impl Ranking {
    fn of(query: &Query) -> Self {
        let survivors = query.survivors();
        let rate = |row| candidate(query, row, query.rate(row)?);
        let mut candidates: Vec<_> = survivors.iter().filter_map(rate).collect();
        if query.request.count > 1 && query.founds_a_group() {
            keep_roomy(query, &mut candidates);
        }
        Self {
            survivors,
            heap: candidates.into(),
            rated: BTreeMap::new(),
        }
    }

    fn best(&mut self) -> Option<Row> {
        while let Some(top) = self.heap.peek() {
            match self.rated.get(&top.row) {
                Some(score) if *score != Some(top.score) => self.heap.pop(),
                _ => return Some(top.row),
            };
        }
        None
    }

    /// Rates again whatever the last placement, on `row`, has changed: that host, those that share its storages,
    /// and every host when the first member of a group has just settled.
    fn update(&mut self, query: &Query, row: Row) {
        let is_first = query.draft.servers.values().sum::<u32>() == 1;
        if is_first && query.request.groups.iter().any(|group| group.rule == Rule::Together) {
            *self = Self::of(query);
            return;
        }
        let mut touched = BTreeSet::from([row]);
        if !query.request.disks.is_empty() {
            let pools = query.snapshot.pools(row);
            touched.extend(pools.flat_map(|(pool, _)| query.snapshot.sharers(pool)));
        }
        for row in touched.into_iter().filter(|row| self.survivors.contains(*row)) {
            let score = query.rate(row);
            self.rated.insert(row, score);
            self.heap.extend(score.and_then(|score| candidate(query, row, score)));
        }
    }
}

/// Where the first of a group goes all others go: hosts with room for all of them, if there are any.
fn keep_roomy(query: &Query, candidates: &mut Vec<Candidate>) {
    let mut alone = Query::new(query.snapshot, query.request);
    let mut has_room = |candidate: &Candidate| {
        alone.draft = Draft::default();
        alone.fill(candidate.row, query.request.count) == query.request.count
    };
    let roomy: Bitmap = candidates.iter().filter(|c| has_room(c)).map(|c| c.row).collect();
    if !roomy.is_empty() {
        candidates.retain(|candidate| roomy.contains(candidate.row));
    }
}

fn candidate(query: &Query, row: Row, score: i64) -> Option<Candidate> {
    let id = Reverse(query.snapshot.fact(row)?.id);
    Some(Candidate { score, id, row })
}
