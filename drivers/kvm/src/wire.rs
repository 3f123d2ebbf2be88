//! What driver and agent say to each other besides the contract's own types: references, pages, bodies.
//! Paths are in `agent/routes.rs`; every failure is a [`contract::Error`] as JSON.

use contract::{Error, ExternalRef, Result, Token, compute::Stop, page::Skipped};
use serde::{Deserialize, Serialize};

/// Image formats a host takes.
pub const FORMATS: [&str; 2] = ["qcow2", "raw"];

/// The common name in the certificate of whoever may command an agent.
pub const CONTROLLER: &str = "isobar-region";

/// Carries the caller's request id into the agent's log.
pub const REQUEST_ID: &str = "x-request-id";

/// `<host>/<id>`: what the cloud calls a thing, and how the driver finds the host that has it.
pub fn reference(host: &str, id: &str) -> ExternalRef {
    ExternalRef::new(format!("{host}/{id}"))
}

/// The two halves of a reference.
pub fn split(reference: &ExternalRef) -> Result<(&str, &str)> {
    reference
        .as_str()
        .split_once('/')
        .filter(|(_, id)| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@".contains(&b)))
        .ok_or_else(|| Error::not_found("object on a kvm host", reference))
}

/// The same for a delete: what was never a reference of ours is gone already.
pub fn split_gone(reference: &ExternalRef) -> Option<(&str, &str)> {
    split(reference).ok()
}

/// Everything of one kind on one host.
#[derive(Serialize, Deserialize)]
pub struct Listing<T> {
    pub items: Vec<T>,
    #[serde(default = "Vec::new")]
    pub skipped: Vec<Skipped>,
}

/// A create: what, and under which token.
#[derive(Serialize, Deserialize)]
pub struct Create<S> {
    pub token: Token,
    pub spec: S,
}

impl<S> Create<S> {
    pub fn new(spec: S, token: &Token) -> Self {
        Self {
            token: token.clone(),
            spec,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub struct SnapshotSpec {
    pub name: String,
}

#[derive(Serialize, Deserialize)]
pub struct How {
    pub how: Stop,
}

#[derive(Serialize, Deserialize)]
pub struct Grow {
    pub size: types::Size,
}

/// Names another object of the same host.
#[derive(Serialize, Deserialize)]
pub struct Other {
    pub id: ExternalRef,
}
