//! Opening a database: connections that write and others that read. SQLite has one that writes.
//!
//! They are apart on PostgreSQL too: whoever is in a transaction may have to read something beside it, and would wait
//! for ever if all connections were taken by others who are in a transaction and wait for the same.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, EntityTrait, FromQueryResult,
    PaginatorTrait, QuerySelect, Select, SelectModel, Statement, TransactionTrait,
    sea_query::{Expr, Query},
};
use types::{Error, Result};

use crate::{
    fault,
    group::Group,
    signal::Signals,
    tx::{Inner, Tx},
};

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) read: DatabaseConnection,
    pub(crate) write: DatabaseConnection,
    /// Of a SQLite database, whose writers share one connection.
    group: Option<Arc<Group>>,
    signals: Arc<Signals>,
    /// The lock file beside a SQLite database.
    pub(crate) presence: Option<PathBuf>,
}

impl Store {
    /// Opens `sqlite:///path` or `postgres://...`. Does not migrate.
    ///
    /// Errors: `Invalid` for another scheme, `Unavailable` when the server does not answer in 10 s.
    pub async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            let write = sqlite(path, 1).await?;
            let read = sqlite(path, 4).await?;
            return Ok(Self {
                read,
                group: Some(Group::new(write.clone())),
                write,
                signals: Arc::default(),
                presence: Some(format!("{path}-workers").into()),
            });
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(Error::invalid("a database URL begins with postgres:// or sqlite://"));
        }
        let write = postgres(url, 10).await?;
        Ok(Self {
            signals: Signals::between_replicas(write.get_postgres_connection_pool()),
            read: postgres(url, 6).await?,
            write,
            group: None,
            presence: None,
        })
    }

    pub fn is_postgres(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Postgres
    }

    /// Begins the only kind of transaction there is: a writing one. Dropping it rolls back.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match &self.group {
            Some(group) => Inner::Member(group.begin().await?),
            None => {
                let inner = self.write.begin().await;
                Inner::Alone(inner.map_err(|e| fault("beginning a transaction", e))?)
            }
        };
        Ok(Tx::new(inner, self.signals.clone()))
    }

    /// One row for our own workers, whoever owns it.
    pub async fn one<E: EntityTrait>(&self, select: Select<E>) -> Result<Option<E::Model>> {
        select.one(&self.read).await.map_err(|e| fault("reading", e))
    }

    /// All rows for our own workers. Bound the query: nothing here pages.
    pub async fn all<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<E::Model>> {
        select.all(&self.read).await.map_err(|e| fault("reading", e))
    }

    pub async fn count<E>(&self, select: Select<E>) -> Result<u64>
    where
        E: EntityTrait,
        E::Model: FromQueryResult + Sized + Send + Sync,
    {
        select.count(&self.read).await.map_err(|e| fault("counting", e))
    }

    /// Like [`Store::count`], but stops at `most`: reads no more than that many rows.
    pub async fn count_to<E: EntityTrait>(&self, select: Select<E>, most: u64) -> Result<u64> {
        let some = QuerySelect::query(&mut select.select_only().expr(Expr::val(1)).limit(most)).take();
        let mut whole = Query::select();
        whole.expr_as(Expr::cust("COUNT(*)"), "n").from_subquery(some, "some");
        let row = self.read.query_one(&whole).await.map_err(|e| fault("counting", e))?;
        let n: i64 = match row {
            Some(row) => row.try_get("", "n").map_err(|e| fault("counting", e))?,
            None => 0,
        };
        Ok(u64::try_from(n).unwrap_or_default())
    }

    /// Rows of any shape for our own workers: joins and aggregates.
    pub async fn rows<M>(&self, select: sea_orm::Selector<SelectModel<M>>) -> Result<Vec<M>>
    where
        M: FromQueryResult + Send + Sync,
    {
        select.all(&self.read).await.map_err(|e| fault("reading", e))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        let probe = Statement::from_string(self.read.get_database_backend(), "SELECT 1");
        self.read
            .query_one_raw(probe)
            .await
            .map_err(|e| fault("asking the database", e))?;
        Ok(())
    }

    /// Wakes a waiter of `channel` whenever a transaction that called [`Tx::wake`] commits, here or in another replica.
    ///
    /// Only a hint: hints may be lost or spurious, so every waiter also looks now and then.
    pub fn signal(&self, channel: &str) -> tokio::sync::watch::Receiver<u64> {
        self.signals.receiver(channel)
    }
}

async fn postgres(url: &str, connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .connect_timeout(Duration::from_secs(10))
        .acquire_timeout(Duration::from_secs(10))
        .sqlx_logging(false);
    Database::connect(options)
        .await
        .map_err(|e| fault("opening the database", e))
}

async fn sqlite(path: &str, connections: u32) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(format!("sqlite://{path}?mode=rwc"));
    options
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|o| {
        use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
        o.journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            .foreign_keys(true)
            .statement_cache_capacity(256)
    });
    Database::connect(options)
        .await
        .map_err(|e| fault("opening the database", e))
}
