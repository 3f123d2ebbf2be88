//! Wake-ups between writers and waiters: in memory in one process, LISTEN/NOTIFY between replicas.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use sea_orm::sqlx::{PgPool, postgres::PgListener};
use tokio::sync::watch;

pub(crate) const PG_CHANNEL: &str = "isobar";

#[derive(Default)]
pub(crate) struct Signals {
    channels: Mutex<HashMap<String, watch::Sender<u64>>>,
}

impl Signals {
    pub fn receiver(&self, channel: &str) -> watch::Receiver<u64> {
        self.with(channel, watch::Sender::subscribe)
    }

    pub fn raise(&self, channel: &str) {
        self.with(channel, |sender| sender.send_modify(|count| *count += 1));
    }

    fn with<T>(&self, channel: &str, f: impl FnOnce(&watch::Sender<u64>) -> T) -> T {
        let mut channels = self.channels.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        f(channels
            .entry(channel.to_owned())
            .or_insert_with(|| watch::Sender::new(0)))
    }

    fn raise_all(&self) {
        let channels = self.channels.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        channels
            .values()
            .for_each(|sender| sender.send_modify(|count| *count += 1));
    }

    /// Forwards notifications of other replicas for as long as anybody holds a [`crate::Store`].
    pub fn listen(self: Arc<Self>, pool: PgPool) {
        let weak = Arc::downgrade(&self);
        tokio::spawn(async move {
            while weak.strong_count() > 0 {
                if let Err(error) = forward(&weak, &pool).await {
                    tracing::warn!(%error, "the notification connection was lost; it is opened again");
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
    }
}

async fn forward(signals: &std::sync::Weak<Signals>, pool: &PgPool) -> Result<(), sea_orm::sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(PG_CHANNEL).await?;
    // Whatever was said while nobody listened is unknown, so everybody looks once.
    if let Some(signals) = signals.upgrade() {
        signals.raise_all();
    }
    loop {
        let heard = tokio::time::timeout(Duration::from_secs(5), listener.recv()).await;
        let Some(signals) = signals.upgrade() else {
            return Ok(());
        };
        match heard {
            Ok(note) => signals.raise(note?.payload()),
            Err(_) => continue,
        }
    }
}
