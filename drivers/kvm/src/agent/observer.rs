//! Looks at the guests, every second or when rung, and tells the feed. One look at a time: an older one that
//! ended later would report servers as gone that were just made.

use std::{collections::HashMap, sync::Arc, time::Duration};

use contract::Result;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::{blocking, change::Feed, node::Node};

/// How often the guests are looked at when nobody asked for anything.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Consoles are cut once in so many looks.
const TRIM_EVERY: u32 = 60;

pub struct Observer {
    node: Arc<Node>,
    pub feed: Feed,
    /// Rung after a mutation, so that its effect is seen at once.
    pub bell: Notify,
    /// Which domains are ours.
    known: Mutex<HashMap<Uuid, bool>>,
}

impl Observer {
    pub fn new(node: Arc<Node>) -> Self {
        Self {
            node,
            feed: Feed::default(),
            bell: Notify::new(),
            known: Mutex::default(),
        }
    }

    /// What is true after this was called is in the feed when it ends.
    pub async fn look(&self) -> Result<()> {
        let mut known = self.known.lock().await;
        let (node, mut seen) = (Arc::clone(&self.node), known.clone());
        let (powers, seen) = blocking(move || Ok((node.powers(&mut seen)?, seen))).await?;
        *known = seen;
        self.feed.observe(&powers);
        Ok(())
    }

    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        for round in 0u32.. {
            if let Err(error) = self.look().await {
                tracing::warn!(error = error.chain(), "the guests cannot be seen");
            }
            if round.is_multiple_of(TRIM_EVERY) {
                let node = Arc::clone(&self.node);
                if let Err(error) = blocking(move || node.trim_consoles()).await {
                    tracing::warn!(error = error.chain(), "long consoles cannot be cut");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.bell.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}
