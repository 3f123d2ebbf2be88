//! How much a host that fits is liked: weights times terms, in whole points, so that sums are exact.

use crate::{
    Points, Request, Rule, Snapshot, Strategy, Term,
    bitmap::{Bitmap, Row},
    host::scale,
    query::Query,
    snapshot::{Key, bytes},
};

/// What a full term counts before its weight.
const FULL: i64 = 1000;
/// More members of a group than this are not liked more.
const CROWD: i64 = 100;

/// Bitmaps that a request's likings name, looked up once.
pub struct Taste<'a> {
    prefer: Vec<&'a Bitmap>,
    avoid: Vec<&'a Bitmap>,
    cached: Option<&'a Bitmap>,
    last: Option<Row>,
}

impl<'a> Taste<'a> {
    pub fn new(snapshot: &'a Snapshot, request: &Request) -> Self {
        let tag = |tag: &String| snapshot.marked(&Key::Tag(tag.clone()));
        Self {
            prefer: request.tags.prefer.iter().map(tag).collect(),
            avoid: request.tags.avoid.iter().map(tag).collect(),
            cached: request.image.clone().map(|digest| snapshot.marked(&Key::Image(digest))),
            last: request.last_host.and_then(|id| snapshot.row(id)),
        }
    }
}

/// The points of one host with its disks in `pools`, in the order of [`Term`].
pub fn terms(query: &Query, row: Row, pools: &[Row]) -> [Points; 8] {
    let (weights, taste) = (&query.request.weights, &query.taste);
    let having = |sets: &[&Bitmap]| sets.iter().filter(|set| set.contains(row)).count() as i64;
    let is = |yes: bool| if yes { FULL } else { 0 };
    let (vcpus, memory) = (query.snapshot.vcpus(), query.snapshot.memory());
    let at = row as usize;
    let cpu_left = query.free_vcpus(row).saturating_sub(query.vcpus());
    let memory_left = query.free_memory(row).saturating_sub(query.memory());
    [
        (Term::LastHost, weights.last_host, is(taste.last == Some(row))),
        (Term::Group, weights.group, group(query, row) * FULL),
        (Term::PreferredTags, weights.prefer, having(&taste.prefer) * FULL),
        (Term::AvoidedTags, weights.avoid, -having(&taste.avoid) * FULL),
        (
            Term::ImageCached,
            weights.image,
            is(taste.cached.is_some_and(|set| set.contains(row))),
        ),
        (Term::Cpu, weights.cpu, fullness(query, vcpus.limit[at], cpu_left)),
        (
            Term::Memory,
            weights.memory,
            fullness(query, memory.limit[at], memory_left),
        ),
        (Term::Storage, weights.storage, storage(query, pools)),
    ]
    .map(|(term, weight, amount)| Points {
        term,
        points: i64::from(weight).saturating_mul(amount),
    })
}

/// Thousandths in use when packing, thousandths left when spreading.
fn fullness(query: &Query, limit: i64, left: i64) -> i64 {
    let left = match limit {
        ..=0 => 0,
        _ => scale(left.max(0), FULL, limit),
    };
    match query.request.strategy {
        Strategy::Pack => FULL - left,
        Strategy::Spread => left,
    }
}

/// The mean over the disks of how full their storages become.
fn storage(query: &Query, pools: &[Row]) -> i64 {
    if pools.is_empty() {
        return 0;
    }
    let each = pools.iter().filter_map(|pool| {
        let taken: i64 = pools
            .iter()
            .zip(&query.request.disks)
            .filter(|(other, _)| *other == pool)
            .fold(0, |sum: i64, (_, disk)| sum.saturating_add(bytes(disk.size)));
        let limit = query.snapshot.pool(*pool)?.space.limit();
        Some(fullness(query, limit, query.free_space(*pool).saturating_sub(taken)))
    });
    each.sum::<i64>() / pools.len() as i64
}

/// Members liked less members disliked.
fn group(query: &Query, row: Row) -> i64 {
    let members = |name: &str| query.members(row, name).min(CROWD);
    let signed = query.request.groups.iter().map(|group| match group.rule {
        Rule::PreferTogether => members(&group.name),
        Rule::PreferApart => -members(&group.name),
        Rule::Together | Rule::Apart => 0,
    });
    signed.sum()
}
