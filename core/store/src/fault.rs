//! Database errors become ours here and nowhere else.

use sea_orm::{DbErr, SqlErr};
use types::{Error, Kind};

/// Translates a database error; `what` is the sentence a person reads first.
pub fn fault(what: &str, error: DbErr) -> Error {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => {
            Error::conflict(format!("{what}: something with this name or key exists already")).code("name_taken")
        }
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Error::conflict(format!(
            "{what}: something it refers to is missing, or still refers to it"
        ))
        .code("in_use"),
        _ if is_passing(&error) => Error::unavailable(format!("{what}: the database did not answer")).because(error),
        _ => Error::new(Kind::Broken, format!("{what}: the database refused it")).because(error),
    }
}

/// Connection trouble, lock timeouts and serialisation failures pass by themselves.
fn is_passing(error: &DbErr) -> bool {
    if matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) {
        return true;
    }
    let text = error.to_string();
    [
        "database is locked",
        "terminating connection",
        "the database system is",
        "connection refused",
        "Connection refused",
        "Connection reset",
        "Broken pipe",
        "broken pipe",
        "unexpected end of file",
        "expected to read",
        "could not serialize",
        "deadlock detected",
        "pool timed out",
        "closed pool",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}
