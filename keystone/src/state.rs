//! What the handlers share: the database, the verifier, the hasher, the options.

use std::{sync::Arc, time::Duration};

use auth::{Policy, token::Verifier};
use store::Store;
use types::{Result, Timestamp};

use crate::password::Hasher;

/// How this installation is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// The origin clients use; taken from each request when absent.
    pub public_url: Option<String>,
    /// Where the router is mounted.
    pub prefix: String,
    /// How long a token lives; at most [`State::LONGEST`].
    pub token_life: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            prefix: "/identity".to_owned(),
            token_life: Duration::from_secs(3600),
        }
    }
}

/// Cheap to clone; one per process.
#[derive(Clone)]
pub struct State(Arc<Shared>);

struct Shared {
    store: Store,
    options: Options,
    verifier: Arc<Verifier>,
    policy: Arc<Policy>,
    hasher: Hasher,
    clock: fn() -> Timestamp,
}

impl State {
    /// No token lives longer, so revocations and retired keys are forgotten after this time.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

    /// `verifier` is the one of this process, from [`crate::verifier`].
    pub fn new(store: Store, verifier: Arc<Verifier>, options: Options) -> Result<Self> {
        Self::with_clock(store, verifier, options, Timestamp::now)
    }

    /// For tests that travel in time.
    pub fn with_clock(
        store: Store,
        verifier: Arc<Verifier>,
        options: Options,
        clock: fn() -> Timestamp,
    ) -> Result<Self> {
        Ok(Self(Arc::new(Shared {
            store,
            options,
            verifier,
            policy: Arc::new(Policy::default()),
            hasher: Hasher::new()?,
            clock,
        })))
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    pub fn verifier(&self) -> &Arc<Verifier> {
        &self.0.verifier
    }

    pub fn policy(&self) -> &Arc<Policy> {
        &self.0.policy
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    pub fn token_life(&self) -> Duration {
        self.0.options.token_life.min(Self::LONGEST)
    }
}
