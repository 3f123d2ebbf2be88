//! What tests share: a database of their own, on both kinds of server.

mod database;

pub use database::Database;

/// Runs each function on SQLite and on PostgreSQL: `both!(migrations; first, second)`.
///
/// A function takes a [`Database`]; the two tests are called `first::sqlite` and `first::postgres`.
#[macro_export]
macro_rules! both {
    ($migrations:expr; $($name:ident),* $(,)?) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::Database::sqlite($migrations).await).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::Database::postgres($migrations).await).await;
            }
        }
    )*};
}
