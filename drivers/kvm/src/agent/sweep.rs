//! At start: what an earlier run was killed over and nobody will come back to.

use std::collections::HashSet;

use contract::Result;
use uuid::Uuid;

use crate::agent::{node::Node, store};

impl Node {
    /// Removes unfinished files, notes without their file, seeds and consoles without their server.
    /// Nothing else is running yet. Without libvirt, servers cannot be told from leftovers and stay.
    pub fn sweep(&self) -> Result<()> {
        for dir in ["", "pool", "images", "seeds", "console"].map(|dir| self.store.file(dir)) {
            for name in store::names(&dir)?.iter().filter(|name| name.ends_with(".part")) {
                store::remove(&dir.join(name))?;
            }
        }
        let volumes: HashSet<Uuid> = self.volume_ids()?.into_iter().collect();
        for name in store::names(&self.store.pool())?
            .iter()
            .filter(|name| name.ends_with(".json"))
        {
            if owner(name).is_some_and(|id| !volumes.contains(&id)) {
                store::remove(&self.store.pool().join(name))?;
            }
        }
        let servers: HashSet<Uuid> = self.domains()?.into_iter().map(|ours| ours.id).collect();
        for dir in ["seeds", "console"].map(|dir| self.store.file(dir)) {
            for name in store::names(&dir)? {
                if owner(&name).is_some_and(|id| !servers.contains(&id)) {
                    tracing::info!(name, "a leftover of an unfinished server is removed");
                    store::remove(&dir.join(name))?;
                }
            }
        }
        Ok(())
    }
}

/// The id a file name begins with.
fn owner(name: &str) -> Option<Uuid> {
    Uuid::parse_str(name.get(..36)?).ok()
}
