//! The decision itself: bitmaps, then numbers, then the best; again for each server of a batch.

use std::{cmp::Reverse, collections::BTreeSet};

use types::HostId;

use crate::{Placement, Plan, Request, Rule, Snapshot, bitmap::Row, disk, explain, query::Query, score};

/// Chooses a host and storages for each of `request.count` servers, all or none.
///
/// The highest score wins, among equals the lowest host id. Each server sees those before it as if they were there.
pub fn place(snapshot: &Snapshot, request: &Request) -> Plan {
    let mut query = Query::new(snapshot, request);
    let mut candidates = candidates(&query);
    let mut placements = Vec::new();
    while placements.len() < request.count as usize {
        let best = candidates
            .iter()
            .max_by_key(|candidate| (candidate.score, Reverse(candidate.id)));
        let Some((row, placement)) = best.and_then(|best| Some((best.row, settle(&mut query, best.row)?))) else {
            return Plan::NoFit(explain::explanation(&query, placements.len() as u32));
        };
        placements.push(placement);
        if placements.len() < request.count as usize {
            rescore(&query, &mut candidates, row);
        }
    }
    Plan::Placed(placements)
}

/// A host that passes every filter.
struct Candidate {
    row: Row,
    id: HostId,
    score: i64,
}

fn candidates(query: &Query) -> Vec<Candidate> {
    let rate = |row| {
        let score = query.rate(row)?;
        let id = query.snapshot.fact(row)?.id;
        Some(Candidate { row, id, score })
    };
    query.survivors().iter().filter_map(rate).collect()
}

/// Gives the host one server and says why.
fn settle(query: &mut Query, row: Row) -> Option<Placement> {
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

/// Rates again whatever the last placement, on `row`, has changed: that host, those that share its storages,
/// and every host when the first member of a group has just settled.
fn rescore(query: &Query, candidates: &mut Vec<Candidate>, row: Row) {
    let is_first = query.draft.servers.values().sum::<u32>() == 1;
    let binds = query.request.groups.iter().any(|group| group.rule == Rule::Together);
    let all = is_first && binds;
    let pools = query.snapshot.pools(row);
    let mut touched: BTreeSet<Row> = pools.flat_map(|(pool, _)| query.snapshot.sharers(pool)).collect();
    touched.insert(row);
    candidates.retain_mut(|candidate| {
        if !all && !touched.contains(&candidate.row) {
            return true;
        }
        match query.rate(candidate.row) {
            Some(score) => {
                candidate.score = score;
                true
            }
            None => false,
        }
    });
}
