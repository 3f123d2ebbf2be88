//! What happened on a host behind our back, as it happens. Only clouds whose hosts can tell have this family.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::states::Power;

use crate::{Call, Cursor, ExternalRef, Result};

#[async_trait]
pub trait Changes: Send + Sync {
    /// What changed on `host` after `since`; waits for something to tell until shortly before the call's deadline,
    /// then answers with an empty feed. Without `since`, or when the host no longer knows it, everything is told at once.
    async fn next(&self, call: &Call, host: &ExternalRef, since: Option<Cursor>) -> Result<ChangeFeed>;
}

/// The observed power of servers that changed; the newest observation of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeFeed {
    /// Where the next call goes on.
    pub cursor: Cursor,
    /// A server that is gone is told once as [`Power::Missing`].
    pub machines: Vec<(ExternalRef, Power)>,
    /// Whether these are all servers of the host, so that one missing here is gone.
    pub complete: bool,
}
