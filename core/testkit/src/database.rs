//! One database per test: an SQLite file, or a database of the PostgreSQL server that `./test` started.

use store::{Migration, Store};
use tempfile::TempDir;

/// A migrated database that no other test sees.
pub struct Database {
    pub store: Store,
    /// To open it a second time, as another replica would.
    pub url: String,
    _directory: Option<TempDir>,
}

impl Database {
    pub async fn sqlite(migrations: &[Migration]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        Self::open(url, Some(directory), migrations).await
    }

    /// Panics with the cure when there is no server: a missing peer is never a passed test.
    pub async fn postgres(migrations: &[Migration]) -> Self {
        let base = std::env::var("ISOBAR_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!("no PostgreSQL for this test: run ./test, or set ISOBAR_TEST_POSTGRES to what `tools/postgres start DIR` prints")
        });
        let name = format!("t{}", uuid::Uuid::new_v4().simple());
        let admin = Store::open(&base).await.expect("the test server answers");
        admin.create_database(&name).await.expect("a database can be created");
        let (server, _) = base
            .rsplit_once('/')
            .expect("a URL names a database after its last slash");
        Self::open(format!("{server}/{name}"), None, migrations).await
    }

    /// PostgreSQL when `ISOBAR_TEST_STORE` says so, else SQLite: for suites that are run once per kind.
    pub async fn chosen(migrations: &[Migration]) -> Self {
        match std::env::var("ISOBAR_TEST_STORE").as_deref() {
            Ok("postgres") => Self::postgres(migrations).await,
            _ => Self::sqlite(migrations).await,
        }
    }

    /// The database's name on its server; empty for a file.
    pub fn name(&self) -> &str {
        if self.store.is_postgres() {
            self.url.rsplit('/').next().unwrap_or_default()
        } else {
            ""
        }
    }

    async fn open(url: String, directory: Option<TempDir>, migrations: &[Migration]) -> Self {
        let store = Store::open(&url).await.expect("the database opens");
        store.migrate(migrations).await.expect("the migrations apply");
        Self {
            store,
            url,
            _directory: directory,
        }
    }
}
