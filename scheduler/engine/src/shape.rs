//! Rankings that are kept from one request to the next: one for each shape of request that was seen lately.
//! A change of a host is rated again when its shape is next asked for, so a placement costs what has changed, not a scan.
//! The answer is [`crate::place()`]'s own: the same filters, the same score, the same order among equals.

use std::cmp::Reverse;

use types::HostId;

use crate::{
    Plan, Request, Snapshot,
    bitmap::Row,
    explain, filter,
    place::{place, settle},
    query::Query,
};

/// Shapes that are kept; each takes about 20 bytes for each host.
const SHAPES: usize = 16;
/// Changes that are remembered for shapes that are not asked for; one that falls further behind is ranked anew.
const CHANGES: usize = 65_536;

/// The rankings of one snapshot and the changes they have not seen yet.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    /// The one asked for last is at the end.
    kept: Vec<Shape>,
    changes: Vec<Row>,
    /// How many changes were forgotten.
    base: usize,
}

#[derive(Clone, Debug)]
struct Shape {
    request: Request,
    ranking: Ranking,
    /// Changes that the ranking has taken in.
    seen: usize,
}

/// Chooses as [`place()`] does. One server without groups or a host of its own is answered from a kept ranking.
pub fn place_next(snapshot: &mut Snapshot, request: &Request) -> Plan {
    if !is_ranked(request) {
        return place(snapshot, request);
    }
    let mut shapes = std::mem::take(&mut snapshot.shapes);
    let plan = shapes.place(snapshot, request);
    snapshot.shapes = shapes;
    plan
}

/// Whether the rank of a host depends on that host and its storages alone, and other requests are likely to share it.
fn is_ranked(request: &Request) -> bool {
    request.count == 1 && request.groups.is_empty() && request.host.is_none() && request.last_host.is_none()
}

impl Shapes {
    /// Notes that a host, or a storage it reaches, is no longer as it was.
    pub fn note(&mut self, row: Row) {
        if self.kept.is_empty() || self.is_noted(row) {
            return;
        }
        if self.changes.len() == CHANGES {
            self.changes.drain(..CHANGES / 2);
            self.base += CHANGES / 2;
            self.kept.retain(|shape| shape.seen >= self.base);
        }
        self.changes.push(row);
    }

    /// Whether this host was noted just now and nobody has looked since.
    fn is_noted(&self, row: Row) -> bool {
        let now = self.base + self.changes.len();
        self.changes.last() == Some(&row) && self.kept.iter().all(|shape| shape.seen < now)
    }

    fn place(&mut self, snapshot: &Snapshot, request: &Request) -> Plan {
        let mut query = Query::new(snapshot, request);
        let now = self.base + self.changes.len();
        let known = self.kept.iter().position(|shape| shape.request == *request);
        let known = known.map(|at| self.kept.remove(at));
        let shape = match known.filter(|shape| snapshot.capacity() <= shape.ranking.capacity()) {
            Some(mut shape) => {
                shape.ranking.update(&query, &self.changes[shape.seen - self.base..]);
                shape.seen = now;
                shape
            }
            None => Shape {
                request: request.clone(),
                ranking: Ranking::of(&query),
                seen: now,
            },
        };
        let best = shape.ranking.best();
        if self.kept.len() == SHAPES {
            self.kept.remove(0);
        }
        self.kept.push(shape);
        match best.and_then(|row| settle(&mut query, row)) {
            Some(placement) => Plan::Placed(vec![placement]),
            None => Plan::NoFit(explain::explanation(&query, 0)),
        }
    }
}

/// A tournament: the winner of every pair of hosts, of every pair of winners, and so on up to node 1.
#[derive(Clone, Debug)]
struct Ranking {
    /// Of each row, if the host fits; as many as the next power of two.
    scores: Vec<Option<i64>>,
    winners: Vec<Row>,
}

impl Ranking {
    fn of(query: &Query) -> Self {
        let size = query.snapshot.capacity().next_power_of_two().max(2);
        let mut ranking = Self {
            scores: vec![None; size],
            winners: vec![0; size],
        };
        for row in query.survivors().iter() {
            ranking.scores[row as usize] = query.rate(row);
        }
        for node in (1..size).rev() {
            ranking.winners[node] = ranking.winner(query.snapshot, node);
        }
        ranking
    }

    fn capacity(&self) -> usize {
        self.scores.len()
    }

    fn best(&self) -> Option<Row> {
        let row = self.winners[1];
        self.scores[row as usize].map(|_| row)
    }

    fn update(&mut self, query: &Query, changed: &[Row]) {
        if changed.is_empty() {
            return;
        }
        let clauses = filter::clauses(query);
        for &row in changed {
            let is_left = query.snapshot.rows().contains(row) && clauses.iter().all(|clause| clause.admits(row));
            self.scores[row as usize] = is_left.then(|| query.rate(row)).flatten();
            self.replay(query.snapshot, row);
        }
    }

    /// Every match on the way up, until one is won by the same other host as before.
    fn replay(&mut self, snapshot: &Snapshot, row: Row) {
        let mut node = (self.scores.len() + row as usize) / 2;
        while node > 0 {
            let winner = self.winner(snapshot, node);
            if winner == self.winners[node] && winner != row {
                return;
            }
            self.winners[node] = winner;
            node /= 2;
        }
    }

    fn winner(&self, snapshot: &Snapshot, node: usize) -> Row {
        let (left, right) = (self.player(node * 2), self.player(node * 2 + 1));
        let id = |row| -> Option<Reverse<HostId>> { snapshot.fact(row).map(|host| Reverse(host.id)) };
        let (ours, theirs) = (self.scores[left as usize], self.scores[right as usize]);
        match ours.cmp(&theirs) {
            std::cmp::Ordering::Less => right,
            std::cmp::Ordering::Equal if ours.is_some() && id(left) < id(right) => right,
            _ => left,
        }
    }

    fn player(&self, node: usize) -> Row {
        match node.checked_sub(self.scores.len()) {
            Some(row) => row as Row,
            None => self.winners[node],
        }
    }
}
