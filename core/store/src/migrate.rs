//! Schema migrations: plain SQL that both databases understand, applied once each, by one process at a time.
//!
//! Three words are filled in per database: `{serial}` (a growing primary key), `{txid}` (the number of the writing
//! transaction, for readers that must not overtake it) and `{bytes}`.

use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait, Value};
use types::{Error, Result, Timestamp};

use crate::{Store, fault};

/// One step of the schema. Never edited once released.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// `crate/0001_what`; applied in the order given to [`Store::migrate`].
    pub name: &'static str,
    pub sql: &'static str,
}

/// What `core/store` itself needs.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "store/0001_spine",
    sql: include_str!("migrations/0001_spine.sql"),
}];

/// Any constant; the same in all replicas.
const LOCK: i64 = 0x1506_0A12;

impl Store {
    /// Applies what is missing, ours first. Returns the names applied now.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Vec<&'static str>> {
        let backend = self.write.get_database_backend();
        let tx = self.write.begin().await.map_err(|e| fault("migrating", e))?;
        if backend == DbBackend::Postgres {
            run(&tx, &format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
        }
        run(
            &tx,
            "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)",
        )
        .await?;
        let known = tx
            .query_all_raw(Statement::from_string(backend, "SELECT name FROM migration"))
            .await
            .and_then(|rows| {
                rows.iter()
                    .map(|row| row.try_get::<String>("", "name"))
                    .collect::<Result<Vec<_>, _>>()
            })
            .map_err(|e| fault("reading the applied migrations", e))?;
        let mut applied = Vec::new();
        for migration in MIGRATIONS.iter().chain(migrations) {
            if known.iter().any(|name| name == migration.name) {
                continue;
            }
            run(&tx, &fill(migration.sql, backend))
                .await
                .map_err(|e| e.wrap(format!("migration {} failed", migration.name)))?;
            let values: [Value; 2] = [migration.name.into(), Timestamp::now().into()];
            let sql = match backend {
                DbBackend::Postgres => "INSERT INTO migration (name, applied_at) VALUES ($1, $2)",
                _ => "INSERT INTO migration (name, applied_at) VALUES (?, ?)",
            };
            let note = Statement::from_sql_and_values(backend, sql, values);
            tx.execute_raw(note)
                .await
                .map_err(|e| fault("recording a migration", e))?;
            applied.push(migration.name);
        }
        tx.commit().await.map_err(|e| fault("migrating", e))?;
        Ok(applied)
    }
}

impl Store {
    /// Makes another database on the same server. PostgreSQL only.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Error::invalid(format!("`{name}` is not a name for a database")));
        }
        run(&self.write, &format!("CREATE DATABASE {name}")).await
    }
}

async fn run(tx: &impl ConnectionTrait, sql: &str) -> Result<(), Error> {
    tx.execute_unprepared(sql)
        .await
        .map(drop)
        .map_err(|e| fault("changing the schema", e))
}

fn fill(sql: &str, backend: DbBackend) -> String {
    let (serial, txid, bytes) = match backend {
        DbBackend::Postgres => (
            "BIGSERIAL PRIMARY KEY",
            "BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)",
            "BYTEA",
        ),
        _ => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT NOT NULL DEFAULT 0", "BLOB"),
    };
    sql.replace("{serial}", serial)
        .replace("{txid}", txid)
        .replace("{bytes}", bytes)
}
