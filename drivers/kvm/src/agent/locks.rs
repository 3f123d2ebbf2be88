//! One mutation at a time on each object, in this process; across restarts the names made from tokens do it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OwnedMutexGuard;

#[derive(Default)]
pub struct Locks {
    held: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Locks {
    /// Waits until all of `keys` are ours. Taken in one order everywhere, so that two callers cannot block each other.
    pub async fn hold(&self, keys: impl IntoIterator<Item = String>) -> Vec<OwnedMutexGuard<()>> {
        let mut guards = Vec::new();
        for key in keys.into_iter().collect::<BTreeSet<_>>() {
            let lock = {
                let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                held.retain(|_, lock| Arc::strong_count(lock) > 1);
                Arc::clone(held.entry(key).or_default())
            };
            guards.push(lock.lock_owned().await);
        }
        guards
    }
}
