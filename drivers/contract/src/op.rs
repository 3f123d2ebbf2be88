//! Work a cloud has accepted but may not have finished. Waiting belongs to the workflow engine, not to the driver.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// What a mutation answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op<T> {
    Done(T),
    /// Ask [`crate::Cloud::poll`] with this handle, not sooner than `after`. The final value has the same shape as `T`.
    Pending {
        operation: String,
        after: Duration,
    },
}

/// How an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    Running {
        percent: Option<u8>,
        after: Duration,
    },
    /// The value that [`Op::Done`] would have carried, as JSON.
    Done(serde_json::Value),
    Failed(Error),
}
