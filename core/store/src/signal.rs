//! Wake-ups between writers and waiters: in memory in one process, LISTEN/NOTIFY between replicas.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sea_orm::sqlx::{PgPool, postgres::PgListener, query};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

const PG_CHANNEL: &str = "isobar";
/// How long to wait after trouble with the connection.
const PAUSE: Duration = Duration::from_millis(500);

/// Waiters of this process, and what other replicas have yet to hear.
#[derive(Default)]
pub(crate) struct Signals {
    channels: Mutex<HashMap<String, watch::Sender<u64>>>,
    others: Option<Arc<Outbox>>,
}

/// Hints are sent beside the transactions they speak of: a NOTIFY inside would make all commits wait for each other.
/// What a process had not sent when it died is lost, as hints may be.
struct Outbox {
    /// Our own hints come back to us; this tells them apart.
    origin: String,
    channels: Mutex<BTreeSet<String>>,
    bell: Notify,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything so far, as one statement.
    async fn send(&self, pool: &PgPool) -> Result<(), sea_orm::sqlx::Error> {
        let channels = mem::take(&mut *self.lock());
        let payloads: Vec<_> = channels.iter().map(|name| format!("{} {name}", self.origin)).collect();
        let sent = query("SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload")
            .bind(PG_CHANNEL)
            .bind(payloads)
            .execute(pool)
            .await;
        if sent.is_err() {
            self.lock().extend(channels);
        }
        sent.map(drop)
    }
}

impl Signals {
    /// With other replicas behind the same database, for as long as anybody holds a [`crate::Store`].
    pub fn between_replicas(pool: &PgPool) -> Arc<Self> {
        let outbox = Arc::new(Outbox {
            origin: types::TaskId::new().to_string(),
            channels: Mutex::default(),
            bell: Notify::new(),
        });
        let signals = Arc::new(Self {
            channels: Mutex::default(),
            others: Some(outbox.clone()),
        });
        tokio::spawn(listen(Arc::downgrade(&signals), pool.clone()));
        tokio::spawn(tell(Arc::downgrade(&signals), outbox, pool.clone()));
        signals
    }

    pub fn receiver(&self, channel: &str) -> watch::Receiver<u64> {
        self.with(channel, watch::Sender::subscribe)
    }

    /// Here now, elsewhere soon.
    pub fn raise(&self, channels: BTreeSet<String>) {
        channels.iter().for_each(|channel| self.raise_here(channel));
        if let Some(outbox) = &self.others {
            outbox.lock().extend(channels);
            outbox.bell.notify_one();
        }
    }

    fn raise_here(&self, channel: &str) {
        self.with(channel, |sender| sender.send_modify(|count| *count += 1));
    }

    fn with<T>(&self, channel: &str, f: impl FnOnce(&watch::Sender<u64>) -> T) -> T {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        f(channels
            .entry(channel.to_owned())
            .or_insert_with(|| watch::Sender::new(0)))
    }

    fn raise_all(&self) {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels
            .values()
            .for_each(|sender| sender.send_modify(|count| *count += 1));
    }
}

/// Sends what was raised, all that came together at once.
async fn tell(signals: Weak<Signals>, outbox: Arc<Outbox>, pool: PgPool) {
    while signals.strong_count() > 0 {
        // Only to notice that nobody is left.
        let Ok(()) = timeout(Duration::from_secs(5), outbox.bell.notified()).await else {
            continue;
        };
        while let Err(error) = outbox.send(&pool).await {
            if signals.strong_count() == 0 {
                return;
            }
            tracing::debug!(%error, "other replicas could not be told yet");
            sleep(PAUSE).await;
        }
    }
}

/// Forwards what other replicas raise.
async fn listen(signals: Weak<Signals>, pool: PgPool) {
    while signals.strong_count() > 0 {
        if let Err(error) = forward(&signals, &pool).await {
            tracing::warn!(%error, "the notification connection was lost; it is opened again");
        }
        sleep(PAUSE).await;
    }
}

async fn forward(signals: &Weak<Signals>, pool: &PgPool) -> Result<(), sea_orm::sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(PG_CHANNEL).await?;
    // Whatever was said while nobody listened is unknown, so everybody looks once.
    if let Some(signals) = signals.upgrade() {
        signals.raise_all();
    }
    loop {
        let heard = timeout(Duration::from_secs(5), listener.recv()).await;
        let Some(signals) = signals.upgrade() else {
            return Ok(());
        };
        let Ok(note) = heard else { continue };
        let note = note?;
        let (origin, channel) = note.payload().split_once(' ').unwrap_or(("", note.payload()));
        if signals.others.as_ref().is_none_or(|ours| ours.origin != origin) {
            signals.raise_here(channel);
        }
    }
}
