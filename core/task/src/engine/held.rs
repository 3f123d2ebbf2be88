//! Which claims of an engine are still its own, asked for many tasks at once: they are locked until the transaction
//! ends, in the order of their ids, so that two that ask for the same ones never wait for each other.

use std::collections::{HashMap, HashSet};

use sea_orm::{FromQueryResult, Value};
use serde::Serialize;
use store::Tx;
use types::{Error, Result, TaskId};

/// A claim by its fence, or a step by its place.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, FromQueryResult)]
pub(super) struct Key {
    pub task_id: String,
    pub number: i64,
}

impl Key {
    pub fn new(task: TaskId, number: i64) -> Self {
        let task_id = task.to_string();
        Self { task_id, number }
    }
}

/// Ours, and whether a person wants the task undone.
pub(super) type Claims = HashMap<Key, bool>;

#[derive(FromQueryResult)]
struct Claim {
    task_id: String,
    number: i64,
    cancel_requested: bool,
}

/// Those of `claims` that `owner` still has. Nobody can take these tasks over before the transaction ends.
pub(super) async fn locked(tx: &Tx, owner: &str, claims: &HashSet<Key>) -> Result<Claims> {
    let lock = if tx.is_postgres() {
        "FOR NO KEY UPDATE OF task"
    } else {
        ""
    };
    let sql = format!(
        "SELECT task.id AS task_id, task.fence AS number, task.cancel_requested FROM {} JOIN task \
         ON task.id = x.task_id AND task.fence = x.number WHERE task.owner = $2 ORDER BY task.id {lock}",
        set(tx, &[("task_id", "text"), ("number", "bigint")]),
    );
    let rows = tx.rows::<Claim>(&sql, vec![text(&claims)?, owner.into()]).await?;
    let claims = rows.into_iter().map(|row| {
        let key = Key {
            task_id: row.task_id,
            number: row.number,
        };
        (key, row.cancel_requested)
    });
    Ok(claims.collect())
}

/// The JSON array `$1` as rows `x` with these columns.
pub(super) fn set(tx: &Tx, columns: &[(&str, &str)]) -> String {
    if tx.is_postgres() {
        let columns: Vec<_> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
        return format!("json_to_recordset($1::json) AS x({})", columns.join(", "));
    }
    let columns: Vec<_> = columns
        .iter()
        .map(|(name, _)| format!("value ->> '{name}' AS {name}"))
        .collect();
    format!("(SELECT {} FROM json_each($1)) AS x", columns.join(", "))
}

/// The value for [`set`].
pub(super) fn text(rows: &impl Serialize) -> Result<Value> {
    let text = serde_json::to_string(rows);
    let text = text.map_err(|e| Error::broken("the journal's lines cannot be written as JSON").because(e))?;
    Ok(text.into())
}
