//! The feed of what happened on a host. The journal is the feed: a cursor is how far it was read, and when.

use std::time::Duration;

use async_trait::async_trait;
use contract::{Call, ChangeFeed, Changes, Cursor, ExternalRef, Result};
use types::states::Power;

use crate::{
    cloud::{SimCloud, external, now},
    place,
    world::World,
};

/// How often the journal is looked at; other processes write it too.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is left of the deadline for the answer to travel.
const MARGIN: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
struct Seen {
    serial: u64,
    at: u64,
}

#[async_trait]
impl Changes for SimCloud {
    async fn next(&self, call: &Call, host: &ExternalRef, since: Option<Cursor>) -> Result<ChangeFeed> {
        let since = since.as_ref().and_then(read);
        let first = self.look(call, "changes.next", |world, now| {
            look(world, host.as_str(), since, now)
        });
        let mut last = first.await?;
        while !last.tells() && call.remaining() >= LOOK_EVERY + MARGIN {
            let again = async {
                tokio::time::sleep(LOOK_EVERY).await;
                let read = |world: &World| match last.holds(world, now()) {
                    true => Ok(None),
                    false => look(world, host.as_str(), since, now()).map(Some),
                };
                self.store.read(read).await?
            };
            if let Some(newer) = call.bound("changes.next", again).await? {
                last = newer;
            }
        }
        Ok(last.feed)
    }
}

/// A look at a host.
struct Look {
    feed: ChangeFeed,
    serial: u64,
    /// When something turns by itself.
    next_turn: Option<u64>,
}

impl Look {
    fn tells(&self) -> bool {
        self.feed.complete || !self.feed.machines.is_empty()
    }

    /// Whether another look would see the same: many wait for a long time, and looking reads every server.
    fn holds(&self, world: &World, now: u64) -> bool {
        world.serial == self.serial && self.next_turn.is_none_or(|at| at > now)
    }
}

fn look(world: &World, host: &str, since: Option<Seen>, now: u64) -> Result<Look> {
    place::reach(world, host)?;
    // A cursor from another life of this cloud.
    let since = since.filter(|seen| seen.serial <= world.serial);
    let turns = world.machines.values().filter(|row| row.host == host);
    let turns = turns.filter_map(|row| row.turn.as_ref()).map(|turn| turn.at);
    Ok(Look {
        feed: tell(world, host, since, now),
        serial: world.serial,
        next_turn: turns.filter(|at| *at > now).min(),
    })
}

fn tell(world: &World, host: &str, since: Option<Seen>, now: u64) -> ChangeFeed {
    let here = world.machines.values().filter(|row| row.host == host);
    let mut machines: Vec<_> = here
        .filter(|row| match (since, row.turn) {
            (None, _) => true,
            (Some(seen), turn) => row.changed > seen.serial || turn.is_some_and(|t| t.at > seen.at && t.at <= now),
        })
        .map(|row| (external(&row.id), row.power(now)))
        .collect();
    if let Some(seen) = since {
        let gone = world
            .gone
            .iter()
            .filter(|(_, (at, line))| at == host && *line > seen.serial);
        machines.extend(gone.map(|(id, _)| (external(id), Power::Missing)));
    }
    ChangeFeed {
        cursor: Cursor(format!("{}:{now}", world.serial)),
        machines,
        complete: since.is_none(),
    }
}

fn read(cursor: &Cursor) -> Option<Seen> {
    let (serial, at) = cursor.0.split_once(':')?;
    Some(Seen {
        serial: serial.parse().ok()?,
        at: at.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_is_not_ours_is_none() {
        assert!(read(&Cursor("12:34".to_owned())).is_some());
        assert!(read(&Cursor("later".to_owned())).is_none());
        assert!(read(&Cursor("12:".to_owned())).is_none());
    }
}
