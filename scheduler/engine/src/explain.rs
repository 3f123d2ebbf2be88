//! Why hosts were ruled out: the filters of [`crate::place()`] again, this time counted and put into words.

mod lack;

use types::HostId;

use crate::{
    Explanation, Filter, Miss, Removed, Request, Snapshot,
    bitmap::Row,
    filter::{self, Clause},
    query::Query,
};

/// How many near misses are named.
const NEAREST: usize = 3;

/// What each filter removes for one server of the request, whether or not a host is left.
pub fn explain(snapshot: &Snapshot, request: &Request) -> Explanation {
    explanation(&Query::new(snapshot, request), 0)
}

/// The same in the middle of a batch, after `placed` servers have found a place.
pub fn explanation(query: &Query, placed: u32) -> Explanation {
    let clauses = filter::clauses(query);
    let mut left = query.snapshot.rows().clone();
    let considered = left.count();
    let mut removed: Vec<Removed> = Vec::new();
    for clause in &clauses {
        let before = left.count();
        clause.apply(&mut left);
        tally(&mut removed, clause.filter, before - left.count());
    }
    for filter in Filter::NUMBERS {
        let short: Vec<Row> = left.iter().filter(|row| !query.passes(filter, *row)).collect();
        short.iter().for_each(|row| left.remove(*row));
        let closest = short
            .iter()
            .min_by_key(|row| (lack::shortage(query, filter, **row), id(query, **row)));
        if let Some(&closest) = closest {
            removed.push(Removed {
                filter,
                hosts: short.len() as u32,
                nearest: miss(query, &clauses, closest),
            });
        }
    }
    Explanation {
        considered,
        fit: left.count(),
        wanted: query.request.count,
        placed,
        removed,
        nearest: nearest(query, &clauses),
    }
}

/// Several clauses of one filter count as one.
fn tally(removed: &mut Vec<Removed>, filter: Filter, hosts: u32) {
    match removed.last_mut() {
        _ if hosts == 0 => {}
        Some(last) if last.filter == filter => last.hosts += hosts,
        _ => removed.push(Removed {
            filter,
            hosts,
            nearest: None,
        }),
    }
}

fn nearest(query: &Query, clauses: &[Clause]) -> Vec<Miss> {
    let key = |row| {
        let filters = lacking(query, clauses, row);
        let shortage: i64 = filters.iter().map(|filter| lack::shortage(query, *filter, row)).sum();
        let elsewhere = filters.iter().filter(|filter| filter.is_place()).count();
        (!filters.is_empty()).then(|| (elsewhere, filters.len(), shortage, id(query, row), row))
    };
    let mut misses: Vec<_> = query.snapshot.rows().iter().filter_map(key).collect();
    if misses.len() > NEAREST {
        misses.select_nth_unstable(NEAREST);
        misses.truncate(NEAREST);
    }
    misses.sort_unstable();
    misses
        .into_iter()
        .filter_map(|(.., row)| miss(query, clauses, row))
        .collect()
}

fn miss(query: &Query, clauses: &[Clause], row: Row) -> Option<Miss> {
    let host = query.snapshot.fact(row)?;
    let lacks = lacking(query, clauses, row).into_iter();
    Some(Miss {
        host: host.id,
        name: host.name.clone(),
        lacks: lacks.map(|filter| lack::lack(query, filter, row, host)).collect(),
    })
}

/// Every filter that a host fails, not only the first.
fn lacking(query: &Query, clauses: &[Clause], row: Row) -> Vec<Filter> {
    let failed = clauses.iter().filter(|clause| !clause.admits(row));
    let mut filters: Vec<Filter> = failed.map(|clause| clause.filter).collect();
    filters.extend(Filter::NUMBERS.into_iter().filter(|filter| !query.passes(*filter, row)));
    filters.sort_unstable();
    filters.dedup();
    filters
}

fn id(query: &Query, row: Row) -> Option<HostId> {
    query.snapshot.fact(row).map(|host| host.id)
}
