//! The placement service: takes capacity of hosts and storages for servers and disks, and gives it back.
//! The decision is made by `scheduler/engine` on a snapshot; the database decides whether it still holds.

mod caller;
mod claim;
mod forecast;
mod inventory;
mod names;
mod networks;

use std::sync::Arc;

use axum::Router;
use store::{Migration, Store};
use tokio::sync::Mutex;
use web::docs::Operation;

use inventory::Inventory;

/// After those of the region, whose tables the service reads.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "scheduler/0001_claims",
    sql: include_str!("migrations/0001_claims.sql"),
}];

/// What the handlers share; cheap to clone.
#[derive(Clone)]
pub struct State {
    store: Store,
    /// Held from a decision to its commit, so that asks in one process do not race each other for nothing.
    inventory: Arc<Mutex<Inventory>>,
}

impl State {
    pub fn new(store: Store) -> Self {
        let inventory = Arc::new(Mutex::new(Inventory::new(store.clone())));
        Self { store, inventory }
    }
}

impl web::App for State {
    fn store(&self) -> &Store {
        &self.store
    }
}

/// Without its gate; mounted by the caller.
pub fn app(state: State) -> Router {
    parts().0.with_state(state)
}

pub fn operations() -> Vec<Operation> {
    parts().1
}

fn parts() -> (Router<State>, Vec<Operation>) {
    let (router, mut operations) = claim::routes();
    operations.push(forecast::operation());
    (
        router.route("/forecast", axum::routing::post(forecast::forecast)),
        operations,
    )
}
