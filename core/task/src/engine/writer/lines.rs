//! One group of lines in one transaction: the claims are locked and checked, then all lines are written as a set.

use std::collections::HashSet;

use serde::Serialize;
use store::{Store, Tx};
use types::{Error, Result, TaskId, Timestamp, states::TaskStep};

use super::queue::Commit;
use crate::{
    CHANNEL,
    engine::{
        Hand,
        held::{Claims, Key, locked, set, text},
        journal,
    },
    row::step,
};

/// One step as it begins or ends, in the columns of `task_step`.
#[derive(Serialize)]
pub(super) struct Line {
    task_id: TaskId,
    fence: i64,
    seq: i64,
    name: String,
    token: String,
    state: TaskStep,
    params: String,
    output: Option<String>,
    /// Microseconds.
    at: i64,
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

impl Line {
    pub fn new(hand: &Hand, row: &step::Model, state: TaskStep, output: Option<String>) -> Self {
        Self {
            task_id: hand.id,
            fence: hand.fence,
            seq: row.seq,
            name: row.name.clone(),
            token: row.token.clone(),
            state,
            params: row.params.to_string(),
            output,
            at: Timestamp::now().as_micros(),
        }
    }

    fn begins(&self) -> bool {
        self.state == TaskStep::Started
    }

    fn step(&self) -> Key {
        Key::new(self.task_id, self.seq)
    }

    fn claim(&self) -> Key {
        Key::new(self.task_id, self.fence)
    }
}

pub(super) struct Lines {
    pub store: Store,
    pub owner: String,
}

impl Commit for Lines {
    type Item = Line;
    type Answer = ();

    async fn together(&self, lines: &[Line]) -> Option<Vec<Result<()>>> {
        let results = commit(&self.store, &self.owner, lines).await;
        Some(results.unwrap_or_else(|error| vec![Err(error); lines.len()]))
    }

    async fn alone(&self, line: &Line) -> Result<()> {
        let results = commit(&self.store, &self.owner, std::slice::from_ref(line)).await?;
        results.into_iter().collect()
    }
}

/// Writes what may be written; each line's own outcome.
async fn commit(store: &Store, owner: &str, lines: &[Line]) -> Result<Vec<Result<()>>> {
    let mut tx = store.begin().await?;
    let claims = locked(&tx, owner, &lines.iter().map(Line::claim).collect()).await?;
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
