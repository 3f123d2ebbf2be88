//! How an engine is put together: its times, its workers, the application state its steps may use.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    sync::Arc,
    time::Duration,
};

use auth::Policy;
use store::Store;
use types::TaskId;

use super::{Engine, Shared, writer::Writer};
use crate::Registry;

/// The engine's times. The defaults are for production; tests shorten them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a claim holds without a heartbeat.
    pub lease: Duration,
    /// How often claims are renewed.
    pub beat: Duration,
    /// How long to sleep without any hint of work.
    pub poll: Duration,
    /// Most tasks in one claim.
    pub batch: u64,
    /// How long steps under way may take to end after a shutdown.
    pub drain: Duration,
    /// The first wait after a temporary error; each next one doubles.
    pub backoff: Duration,
    pub longest_backoff: Duration,
    /// After so many failed attempts to undo one step a person must look.
    pub undo_attempts: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(6),
            beat: Duration::from_secs(2),
            poll: Duration::from_secs(1),
            batch: 50,
            drain: Duration::from_secs(5),
            backoff: Duration::from_millis(200),
            longest_backoff: Duration::from_secs(30),
            undo_attempts: 10,
        }
    }
}

/// Application state by type.
#[derive(Clone, Default)]
pub struct Extensions {
    by_type: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl Extensions {
    #[allow(clippy::should_implement_trait)]
    pub fn add<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.by_type.insert(TypeId::of::<T>(), Arc::new(value));
        self
    }

    /// Panics when nobody added a `T`: a defect of the program's start.
    pub fn get<T: Send + Sync + 'static>(&self) -> &T {
        let value = self.by_type.get(&TypeId::of::<T>());
        value
            .and_then(|value| value.downcast_ref())
            .unwrap_or_else(|| panic!("no {} was given to the engine", type_name::<T>()))
    }
}

impl Shared {
    /// The same under an owner that was never used before; what a restarted process is.
    pub(crate) fn renamed(&self) -> Self {
        let replica = self.owner.split('/').next().unwrap_or_default();
        let unique = TaskId::new().to_string();
        let owner = format!("{replica}/{}", unique.trim_start_matches("task-"));
        Self {
            writer: Writer::new(self.store.clone(), self.registry.clone(), owner.clone()),
            owner,
            ..self.clone()
        }
    }
}

/// See [`Engine::builder`].
pub struct Builder {
    shared: Shared,
}

impl Builder {
    pub(super) fn new(store: Store, registry: Registry) -> Self {
        let registry = Arc::new(registry);
        Self {
            shared: Shared {
                writer: Writer::new(store.clone(), registry.clone(), String::new()),
                store,
                registry,
                extensions: Extensions::default(),
                policy: Arc::default(),
                owner: "engine".to_owned(),
                workers: 256,
                settings: Settings::default(),
                probe: None,
            },
        }
    }

    /// What steps get with `cx.get::<T>()`.
    pub fn extension<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.shared.extensions = self.shared.extensions.add(value);
        self
    }

    /// The replica's name, for people who read the task table.
    pub fn owner(mut self, replica: &str) -> Self {
        self.shared.owner = replica.to_owned();
        self
    }

    /// How many tasks are driven at once. A parked task needs no worker.
    pub fn workers(mut self, workers: usize) -> Self {
        self.shared.workers = workers.max(1);
        self
    }

    /// The policy that the callers of tasks are held to.
    pub fn policy(mut self, policy: Arc<Policy>) -> Self {
        self.shared.policy = policy;
        self
    }

    pub fn settings(mut self, settings: Settings) -> Self {
        self.shared.settings = settings;
        self
    }

    pub fn build(self) -> Engine {
        Engine {
            shared: Arc::new(self.shared.renamed()),
        }
    }
}
