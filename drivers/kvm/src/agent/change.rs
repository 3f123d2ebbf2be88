//! What changed on this host: the power of its servers, and a feed that readers wait on.
//! The feed lives in memory; after a restart its epoch differs and readers are told everything once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use contract::{ChangeFeed, Cursor, Error, Kind, Result};
use tokio::sync::watch;
use types::states::Power;
use uuid::Uuid;

use crate::agent::{libvirt, node::Node, power};

/// Servers that are gone are remembered for readers that lag behind, up to this many.
const REMEMBERED: usize = 1000;

pub struct Feed {
    epoch: String,
    state: Mutex<State>,
    bell: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Of the last change; 0 before the first look.
    number: u64,
    machines: BTreeMap<Uuid, (Power, u64)>,
    /// Readers that stopped before this number missed something we no longer remember.
    forgotten: u64,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            epoch: Uuid::new_v4().simple().to_string(),
            state: Mutex::default(),
            bell: watch::Sender::new(0),
        }
    }
}

impl Feed {
    /// Takes in what is true now.
    pub fn observe(&self, now: &HashMap<Uuid, Power>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.number;
        state.number = before.max(1);
        for (id, power) in now {
            state.note(*id, *power);
        }
        let known: Vec<_> = state.machines.keys().copied().collect();
        for id in known.into_iter().filter(|id| !now.contains_key(id)) {
            state.note(id, Power::Missing);
        }
        state.forget();
        let number = state.number;
        drop(state);
        if number != before {
            self.bell.send_replace(number);
        }
    }

    /// Whether a reader that comes with this is told changes only, not everything.
    pub fn knows(&self, since: &str) -> bool {
        self.number(since).is_some()
    }

    fn number(&self, since: &str) -> Option<u64> {
        since.strip_prefix(&self.epoch)?.strip_prefix('.')?.parse().ok()
    }

    /// What changed after `since`, waiting up to `wait` for it.
    pub async fn next(&self, host: &str, since: Option<&str>, wait: Duration) -> Result<ChangeFeed> {
        let since = since.and_then(|cursor| self.number(cursor));
        let mut bell = self.bell.subscribe();
        let told = since.unwrap_or(0);
        // The bell is in `self`, so it cannot close; running out of time means that there is nothing to tell.
        drop(tokio::time::timeout(wait, bell.wait_for(|number| *number > told)).await);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.number == 0 {
            return Err(Error::unavailable(format!(
                "host {host} has not seen its servers yet: libvirtd does not answer"
            )));
        }
        let complete = since.is_none_or(|since| since < state.forgotten || since > state.number);
        let wanted = |power: Power, number| {
            if complete {
                power != Power::Missing
            } else {
                number > told
            }
        };
        let machines = state
            .machines
            .iter()
            .filter(|(_, (power, number))| wanted(*power, *number));
        Ok(ChangeFeed {
            cursor: Cursor(format!("{}.{}", self.epoch, state.number)),
            machines: machines
                .map(|(id, (power, _))| (crate::wire::reference(host, &id.to_string()), *power))
                .collect(),
            complete,
        })
    }
}

impl State {
    fn note(&mut self, id: Uuid, power: Power) {
        if self.machines.get(&id).is_none_or(|(old, _)| *old != power) {
            self.number += 1;
            self.machines.insert(id, (power, self.number));
        }
    }

    fn forget(&mut self) {
        let mut gone: Vec<_> = self
            .machines
            .iter()
            .filter(|(_, (p, _))| *p == Power::Missing)
            .map(|(id, (_, n))| (*n, *id))
            .collect();
        gone.sort_unstable();
        for (number, id) in gone.iter().rev().skip(REMEMBERED) {
            self.machines.remove(id);
            self.forgotten = self.forgotten.max(*number);
        }
    }
}

impl Node {
    /// The power of every server of ours. Whether a domain is ours is looked up once and kept in `known`.
    pub fn powers(&self, known: &mut HashMap<Uuid, bool>) -> Result<HashMap<Uuid, Power>> {
        let connection = self.libvirt.connect()?;
        let all = connection
            .list_all_domains(0)
            .map_err(libvirt::error("the servers cannot be listed"))?;
        let mut now = HashMap::new();
        for domain in all {
            let Ok(id) = domain.uuid() else { continue };
            let ours = match known.get(&id) {
                Some(ours) => *ours,
                None => match self.domain(id) {
                    Ok(_) => true,
                    Err(error) if error.kind == Kind::NotFound => false,
                    Err(error) => return Err(error),
                },
            };
            known.insert(id, ours);
            if ours {
                now.insert(id, power::of(&domain)?);
            }
        }
        known.retain(|id, ours| !*ours || now.contains_key(id));
        now.retain(|_, power| *power != Power::Missing);
        Ok(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(feed: &Feed, since: Option<&Cursor>) -> ChangeFeed {
        feed.next("h", since.map(|c| c.0.as_str()), Duration::ZERO)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn readers_are_told_each_change_once() {
        let (feed, id) = (Feed::default(), Uuid::from_u128(7));
        assert!(feed.next("h", None, Duration::ZERO).await.is_err());
        feed.observe(&HashMap::from([(id, Power::Off)]));
        let first = ask(&feed, None).await;
        assert!(first.complete);
        assert_eq!(first.machines[0].1, Power::Off);
        assert_eq!(ask(&feed, Some(&first.cursor)).await.machines, []);
        feed.observe(&HashMap::from([(id, Power::On)]));
        feed.observe(&HashMap::new());
        let second = ask(&feed, Some(&first.cursor)).await;
        assert!(!second.complete);
        assert_eq!(second.machines[0].1, Power::Missing);
        assert_eq!(ask(&feed, None).await.machines, []);
    }

    #[tokio::test]
    async fn a_reader_of_another_epoch_is_told_everything() {
        let feed = Feed::default();
        feed.observe(&HashMap::from([(Uuid::from_u128(1), Power::On)]));
        let other = ask(&feed, Some(&Cursor("gone.1".to_owned()))).await;
        assert!(other.complete && other.machines.len() == 1);
    }

    #[tokio::test]
    async fn a_reader_that_lags_too_far_is_told_everything() {
        let feed = Feed::default();
        feed.observe(&HashMap::from([(Uuid::from_u128(1), Power::On)]));
        let old = ask(&feed, None).await.cursor;
        let many = (0..1200).map(|n| (Uuid::from_u128(100 + n), Power::On)).collect();
        feed.observe(&many);
        feed.observe(&HashMap::new());
        assert!(ask(&feed, Some(&old)).await.complete);
        assert!(feed.state.lock().unwrap().machines.len() <= REMEMBERED);
    }
}
