//! Breadth first through every reachable state, and backwards from the ends.

use std::collections::{BTreeSet, HashMap, VecDeque};

use types::states::Task;

use super::{
    moves::{self, By, Rules},
    world::World,
};

/// Every reachable state and what leads from each to which.
pub struct Space {
    pub worlds: Vec<World>,
    next: Vec<Vec<(By, usize)>>,
    /// How each state was first reached.
    from: Vec<Option<(usize, &'static str)>>,
}

impl Space {
    /// All states, or the path to the first broken one.
    pub fn explore(rules: Rules) -> Result<Self, (&'static str, String)> {
        let mut space = Self {
            worlds: vec![World::start()],
            next: Vec::new(),
            from: vec![None],
        };
        let mut known = HashMap::from([(World::start(), 0)]);
        let mut todo = VecDeque::from([0]);
        while let Some(at) = todo.pop_front() {
            let mut edges = Vec::new();
            for (by, what, world) in moves::all(&space.worlds[at].clone(), rules) {
                let world = world.plain();
                let to = *known.entry(world.clone()).or_insert_with(|| {
                    space.worlds.push(world);
                    space.from.push(Some((at, what)));
                    todo.push_back(space.worlds.len() - 1);
                    space.worlds.len() - 1
                });
                if let Some(why) = space.worlds[to].broken() {
                    return Err((why, space.path(to)));
                }
                edges.push((by, to));
            }
            space.next.push(edges);
        }
        Ok(space)
    }

    /// States from which no end can be reached by moves of `by` alone.
    pub fn without_exit(&self, by: &[By], end: fn(&World) -> bool) -> Vec<&World> {
        let mut back = vec![Vec::new(); self.worlds.len()];
        for (from, edges) in self.next.iter().enumerate() {
            for (_, to) in edges.iter().filter(|(edge, _)| by.contains(edge)) {
                back[*to].push(from);
            }
        }
        let mut leads: Vec<bool> = self.worlds.iter().map(end).collect();
        let mut todo: Vec<_> = (0..leads.len()).filter(|n| leads[*n]).collect();
        while let Some(at) = todo.pop() {
            for from in &back[at] {
                if !std::mem::replace(&mut leads[*from], true) {
                    todo.push(*from);
                }
            }
        }
        let lost = self.worlds.iter().zip(&leads).filter(|(_, leads)| !**leads);
        lost.map(|(world, _)| world).collect()
    }

    /// Every change of the task's state that happens.
    pub fn changes(&self) -> BTreeSet<(&'static str, &'static str)> {
        let of = |n: usize| -> Task { self.worlds[n].row.state };
        let edges = self.next.iter().enumerate();
        edges
            .flat_map(|(from, edges)| edges.iter().map(move |(_, to)| (of(from), of(*to))))
            .filter(|(from, to)| from != to)
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect()
    }

    fn path(&self, mut at: usize) -> String {
        let mut path = vec![format!("{:#?}", self.worlds[at])];
        while let Some((from, what)) = &self.from[at] {
            let hands: Vec<_> = self.worlds[at].hands.iter().map(|hand| hand.at).collect();
            path.push(format!("{what} {hands:?}"));
            at = *from;
        }
        path.reverse();
        path.join("\n")
    }
}
