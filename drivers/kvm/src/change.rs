//! The change feed of a host, by a request that its agent answers when there is something to tell.

use std::time::Duration;

use async_trait::async_trait;
use contract::{Call, ChangeFeed, Changes, Cursor, ExternalRef, Result};
use reqwest::Method;

use crate::Connection;

/// What is left of the deadline for the answer to travel.
const MARGIN: Duration = Duration::from_secs(2);

#[async_trait]
impl Changes for Connection {
    async fn next(&self, call: &Call, host: &ExternalRef, since: Option<Cursor>) -> Result<ChangeFeed> {
        let wait = call.remaining().saturating_sub(MARGIN).as_secs();
        let since = since.map(|cursor| format!("&since={}", cursor.0)).unwrap_or_default();
        let path = format!("changes?wait={wait}{since}");
        self.agents.ask(call, host.as_str(), Method::GET, &path).await
    }
}
