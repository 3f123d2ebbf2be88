//! What the region's handlers, steps and reconcilers share.

use std::sync::Arc;

use store::Store;
use web::Peer;

use crate::clouds::Clouds;

/// Cheap to clone.
#[derive(Clone)]
pub struct State {
    pub store: Store,
    pub clouds: Arc<Clouds>,
    /// Both called as our own service user.
    pub scheduler: Peer,
    pub glance: Peer,
    /// How long tasks that are over are kept.
    pub keep: task::Keep,
}

impl State {
    pub fn new(store: Store, drivers: drivers::Registry, scheduler: Peer, glance: Peer) -> Self {
        let clouds = Arc::new(Clouds::new(store.clone(), drivers));
        Self {
            store,
            clouds,
            scheduler,
            glance,
            keep: task::Keep::default(),
        }
    }
}

impl web::App for State {
    fn store(&self) -> &Store {
        &self.store
    }
}
