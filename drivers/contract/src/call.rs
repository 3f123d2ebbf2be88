//! What travels with every call: how long it may take, whether it is still wanted, and for whom.

use std::{
    fmt,
    future::Future,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{Error, Kind, Result};

/// Deadline, cancellation and request id of one call into a cloud.
#[derive(Clone, Debug)]
pub struct Call {
    pub deadline: Instant,
    pub cancelled: CancellationToken,
    /// Written into the cloud's request where it has a place for it, and into every trace.
    pub request_id: String,
}

impl Call {
    pub fn new(request_id: impl Into<String>, limit: Duration) -> Self {
        Self {
            deadline: now() + limit,
            cancelled: CancellationToken::new(),
            request_id: request_id.into(),
        }
    }

    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(now())
    }

    /// The same call with no more than `limit` left.
    pub fn within(&self, limit: Duration) -> Self {
        Self {
            deadline: self.deadline.min(now() + limit),
            ..self.clone()
        }
    }

    /// Runs `work` until it ends, the deadline passes (`Timeout`) or the call is cancelled (`Cancelled`).
    /// Work is not begun when either has happened already.
    pub async fn bound<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let late = || Error::new(Kind::Timeout, format!("{what} did not end before its deadline"));
        if !self.cancelled.is_cancelled() && self.remaining().is_zero() {
            return Err(late());
        }
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(Error::new(Kind::Cancelled, format!("{what} was cancelled"))),
            done = tokio::time::timeout_at(self.deadline.into(), work) => done.unwrap_or_else(|_| Err(late())),
        }
    }
}

/// The runtime's clock, so that tests can hold it still.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Names one intent: creating twice with the same token makes one thing, which can be found by it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// 1 to 64 characters of `a-z 0-9 -`, so that it fits every cloud's tag or client token.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
