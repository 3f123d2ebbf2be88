//! The feed of what happened on a host. The journal is the feed: a cursor is how far it was read, and when.

use std::time::Duration;

use async_trait::async_trait;
use contract::{Call, ChangeFeed, Changes, Cursor, ExternalRef, Result};
use types::states::Power;

use crate::{
    cloud::{SimCloud, external},
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
        loop {
            let told = self.look(call, "changes.next", |world, now| {
                place::reach(world, host.as_str())?;
                // A cursor from another life of this cloud.
                let since = since.filter(|seen| seen.serial <= world.serial);
                Ok(tell(world, host.as_str(), since, now))
            });
            let feed = told.await?;
            if feed.complete || !feed.machines.is_empty() || call.remaining() < LOOK_EVERY + MARGIN {
                return Ok(feed);
            }
            let pause = async {
                tokio::time::sleep(LOOK_EVERY).await;
                Ok(())
            };
            call.bound("changes.next", pause).await?;
        }
    }
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
