//! What an operator sees of the work in a region: queues, workers, reconcilers; and what is paused.

use serde::{Deserialize, Serialize};

use crate::{Error, Timestamp};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Ops))]
pub struct View {
    /// Kinds of tasks that are not over. A kind without any is left out.
    pub queues: Vec<Queue>,
    pub paused: Vec<Paused>,
    pub workers: Vec<Worker>,
    pub reconcilers: Vec<Reconciler>,
}

/// Tasks of one kind.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Queue {
    /// The workflow's name.
    pub kind: String,
    pub queued: i64,
    /// A worker has them.
    pub running: i64,
    /// Begun, and parked until a timer ends or something happens.
    pub waiting: i64,
    pub undoing: i64,
    pub needs_operator: i64,
    /// When the oldest of them was asked for.
    pub oldest_at: Option<Timestamp>,
}

/// A kind of task that no worker takes from the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Paused {
    /// The workflow's name, or `all`.
    pub kind: String,
    /// Who paused it.
    pub actor: String,
    pub reason: String,
    pub since: Timestamp,
}

/// A worker of a replica, while it has tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Worker {
    /// The replica, and which engine of it.
    pub name: String,
    pub tasks: i64,
}

/// How the rounds of a reconciler go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reconciler {
    pub name: String,
    /// A replica does a round now.
    pub running: bool,
    /// When the last round began.
    pub started_at: Option<Timestamp>,
    /// When the last round that came to its end ended.
    pub ended_at: Option<Timestamp>,
    /// How long the last round took; absent while one is under way.
    pub seconds: Option<f64>,
    /// When the next round is due; absent while one is under way.
    pub next_at: Option<Timestamp>,
    /// Rounds that failed since the last that did not.
    pub failures: i64,
    /// Of the last round, if it failed.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub error: Option<Error>,
    /// How many of the resources it looks at are left alone for a while, since their last look failed.
    pub held_back: i64,
    /// The one of them that failed most often.
    pub worst: Option<HeldBack>,
}

/// What a reconciler could not look at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeldBack {
    /// For example `host/host-...`.
    pub resource: String,
    /// Looks that failed since the last that did not.
    pub failures: i64,
    /// When the first of them failed.
    pub since: Timestamp,
    /// When it is looked at again; at once when it is changed.
    pub next_at: Timestamp,
    /// What failed and why, as one sentence.
    pub text: String,
}

/// Which queue to hold back or to let go, and why; the reason is kept with the event.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pause {
    /// A workflow's name, or `all`.
    pub kind: String,
    pub reason: String,
}
