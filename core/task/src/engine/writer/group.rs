//! One group of lines in one transaction: the claims are locked and checked, then all lines are written as a set.

use std::collections::{HashMap, HashSet};

use sea_orm::{FromQueryResult, Value};
use serde::Serialize;
use store::{Store, Tx};
use types::{Error, Result, TaskId, states::TaskStep};

use crate::{CHANNEL, engine::journal};

/// One step as it begins or ends, in the columns of `task_step`.
#[derive(Serialize)]
pub(super) struct Line {
    pub task_id: TaskId,
    pub fence: i64,
    pub seq: i64,
    pub name: String,
    pub token: String,
    pub state: &'static str,
    pub params: String,
    pub output: Option<String>,
    /// Microseconds.
    pub at: i64,
}

/// The same for `json_to_recordset`.
const COLUMNS: &[(&str, &str)] = &[
    ("task_id", "text"),
    ("fence", "bigint"),
    ("seq", "bigint"),
    ("name", "text"),
    ("token", "text"),
    ("state", "text"),
    ("params", "text"),
    ("output", "text"),
    ("at", "bigint"),
];

/// A claim by its fence, or a step by its place.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, FromQueryResult)]
struct Key {
    task_id: String,
    number: i64,
}

/// A claim that is still ours.
#[derive(FromQueryResult)]
struct Claim {
    task_id: String,
    number: i64,
    cancel_requested: bool,
}

/// Ours, and whether a person wants the task undone.
type Claims = HashMap<Key, bool>;

impl Line {
    fn key(&self, number: i64) -> Key {
        Key {
            task_id: self.task_id.to_string(),
            number,
        }
    }

    fn begins(&self) -> bool {
        self.state == TaskStep::Started.as_str()
    }

    fn step(&self) -> Key {
        self.key(self.seq)
    }

    fn claim(&self) -> Key {
        self.key(self.fence)
    }
}

/// Writes what may be written; each line's own outcome.
pub(super) async fn commit(store: &Store, owner: &str, lines: &[Line]) -> Result<Vec<Result<()>>> {
    let mut tx = store.begin().await?;
    let claims = ours(&tx, owner, lines).await?;
    let (began, ended): (Vec<_>, Vec<_>) = lines
        .iter()
        .filter(|line| refusal(line, &claims).is_none())
        .partition(|line| line.begins());
    let mut written = insert(&tx, &began).await?;
    written.extend(update(&tx, &ended).await?);
    tx.wake(CHANNEL);
    tx.commit().await?;
    let outcome = |line: &Line| match refusal(line, &claims) {
        Some(error) => Err(error),
        None if written.contains(&line.step()) => Ok(()),
        None => Err(journal::changed_meanwhile(&line.name)),
    };
    Ok(lines.iter().map(outcome).collect())
}

/// Why a line may not be written. A cancelled task begins nothing more, but what it did is kept.
fn refusal(line: &Line, claims: &Claims) -> Option<Error> {
    match claims.get(&line.claim()) {
        None => Some(journal::lost(line.task_id)),
        Some(true) if line.begins() => Some(journal::cancelled(line.task_id)),
        Some(_) => None,
    }
}

/// The claims that are still ours, locked until the end: nobody can take these tasks over meanwhile. In the order in
/// which heartbeats lock them too.
async fn ours(tx: &Tx, owner: &str, lines: &[Line]) -> Result<Claims> {
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
    let claims: HashSet<_> = lines.iter().map(Line::claim).collect();
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

/// A row that is there already means that a commit went through whose answer was lost.
async fn insert(tx: &Tx, lines: &[&Line]) -> Result<HashSet<Key>> {
    let sql = format!(
        "INSERT INTO task_step (task_id, seq, name, params, token, state, attempts, undo_attempts, started_at) \
         SELECT x.task_id, x.seq, x.name, x.params, x.token, x.state, 0, 0, x.at FROM {} WHERE true \
         ON CONFLICT DO NOTHING RETURNING task_id, seq AS number",
        set(tx, COLUMNS),
    );
    changed(tx, &sql, lines).await
}

async fn update(tx: &Tx, lines: &[&Line]) -> Result<HashSet<Key>> {
    let sql = format!(
        "UPDATE task_step SET state = x.state, output = x.output, error = NULL, finished_at = x.at FROM {} \
         WHERE task_step.task_id = x.task_id AND task_step.seq = x.seq AND task_step.state = '{}' \
         RETURNING task_step.task_id AS task_id, task_step.seq AS number",
        set(tx, COLUMNS),
        TaskStep::Started,
    );
    changed(tx, &sql, lines).await
}

async fn changed(tx: &Tx, sql: &str, lines: &[&Line]) -> Result<HashSet<Key>> {
    if lines.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = tx.rows(sql, vec![text(&lines)?]).await?;
    Ok(rows.into_iter().collect())
}

fn text(lines: &impl Serialize) -> Result<Value> {
    let text = serde_json::to_string(lines);
    let text = text.map_err(|e| Error::broken("the journal's lines cannot be written as JSON").because(e))?;
    Ok(text.into())
}

/// The JSON array `$1` as rows `x` with these columns.
fn set(tx: &Tx, columns: &[(&str, &str)]) -> String {
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
