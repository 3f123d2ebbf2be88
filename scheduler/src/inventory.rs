//! The engine's snapshot, kept as fresh as is useful. Nothing correct rests on it: a stale one costs a retry.
//!
//! Rows that changed are read again when somebody signals [`CHANNEL`] and at least every second; everything is read
//! again every half minute, which also finds rows that are gone and changes dated by a clock that runs behind.

pub mod rows;

mod fact;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use engine::{Demand, Placement, Plan, Request, Snapshot};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select};
use store::Store;
use tokio::sync::watch;
use types::{HostId, Result};

use crate::claim::group;
pub use fact::ENABLED;
use fact::Facts;
use rows::{host, storage};

/// Raised by whoever changes hosts, storages or claims.
pub const CHANNEL: &str = "inventory";

/// Without a signal, changed rows are looked for this often.
const LOOK: Duration = Duration::from_secs(1);
/// With signals, not more often than this.
const CALM: Duration = Duration::from_millis(50);
const EVERYTHING: Duration = Duration::from_secs(30);
/// Transactions commit out of order; rows this much older than the newest seen are read again. In microseconds.
const OVERLAP: i64 = 2_000_000;

pub struct Inventory {
    store: Store,
    snapshot: Snapshot,
    signal: watch::Receiver<u64>,
    /// The newest `updated_at` seen.
    newest: i64,
    /// None while nothing, or only a part, is known.
    looked: Option<Instant>,
    whole: Option<Instant>,
}

/// Which rows to read.
enum Scope {
    All,
    Since(i64),
    Hosts(Vec<String>),
}

impl Inventory {
    pub fn new(store: Store) -> Self {
        Self {
            signal: store.signal(CHANNEL),
            store,
            snapshot: Snapshot::default(),
            newest: 0,
            looked: None,
            whole: None,
        }
    }

    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub fn place(&mut self, request: &Request) -> Plan {
        engine::place_next(&mut self.snapshot, request)
    }

    /// Notes what has been committed.
    pub fn charge(&mut self, placement: &Placement, demand: &Demand) {
        if self.snapshot.charge(placement.host, demand).is_err() {
            self.looked = None;
        }
    }

    /// Reads what may have changed since the last look.
    pub async fn refresh(&mut self) -> Result<()> {
        let age = self.looked.map(|at| at.elapsed());
        let is_whole = self.whole.is_some_and(|at| at.elapsed() < EVERYTHING);
        match age {
            Some(_) if !is_whole => self.look(Scope::All).await,
            None => self.look(Scope::All).await,
            Some(age) if age >= LOOK || (age >= CALM && self.signal.has_changed().unwrap_or(true)) => {
                self.look(Scope::Since(self.newest - OVERLAP)).await
            }
            Some(_) => Ok(()),
        }
    }

    /// Reads everything, unless that has begun after `asked`.
    pub async fn reload(&mut self, asked: Instant) -> Result<()> {
        match self.whole {
            Some(at) if at > asked => Ok(()),
            _ => self.look(Scope::All).await,
        }
    }

    /// Whether everything has been read after `asked`.
    pub fn is_newer(&self, asked: Instant) -> bool {
        self.whole.is_some_and(|at| at > asked)
    }

    /// Reads these hosts again: a commit has found them different.
    pub async fn reread(&mut self, hosts: &BTreeSet<HostId>) -> Result<()> {
        let ids = hosts.iter().map(HostId::to_string).collect();
        self.read(&Scope::Hosts(ids)).await
    }

    async fn look(&mut self, scope: Scope) -> Result<()> {
        let begun = Instant::now();
        self.signal.mark_unchanged();
        self.looked = None;
        self.read(&scope).await?;
        self.looked = Some(begun);
        if let Scope::All = scope {
            self.whole = Some(begun);
        }
        Ok(())
    }

    async fn read(&mut self, scope: &Scope) -> Result<()> {
        let hosts = self.store.all(select_hosts(scope)).await?;
        let storages = self.store.all(select_storages(scope)).await?;
        let members = self.store.all(select_members(scope)).await?;
        let dates = hosts.iter().map(|row| row.updated_at);
        let newest = dates.chain(storages.iter().map(|row| row.updated_at)).max();
        self.newest = self.newest.max(newest.unwrap_or(0));
        let facts = Facts::new(hosts, storages, members);
        match scope {
            Scope::All => self.snapshot = facts.whole(),
            Scope::Since(_) => facts.add(&mut self.snapshot),
            Scope::Hosts(ids) => facts.replace(&mut self.snapshot, ids),
        }
        Ok(())
    }
}

fn select_hosts(scope: &Scope) -> Select<host::Entity> {
    match scope {
        Scope::All => host::Entity::find(),
        Scope::Since(at) => host::Entity::find().filter(host::Column::UpdatedAt.gte(*at)),
        Scope::Hosts(ids) => host::Entity::find().filter(host::Column::Id.is_in(ids)),
    }
}

fn select_storages(scope: &Scope) -> Select<storage::Entity> {
    match scope {
        Scope::All => storage::Entity::find(),
        Scope::Since(at) => storage::Entity::find().filter(storage::Column::UpdatedAt.gte(*at)),
        Scope::Hosts(ids) => storage::Entity::find().filter(storage::Column::HostId.is_in(ids)),
    }
}

fn select_members(scope: &Scope) -> Select<group::Entity> {
    match scope {
        Scope::All => group::Entity::find(),
        Scope::Since(_) => {
            let changed = select_hosts(scope).select_only().column(host::Column::Id).into_query();
            group::Entity::find().filter(group::Column::HostId.in_subquery(changed))
        }
        Scope::Hosts(ids) => group::Entity::find().filter(group::Column::HostId.is_in(ids)),
    }
}
