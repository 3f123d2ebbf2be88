//! The ends of tasks: the workflows' row changes, the final states, the holds and the events, in one transaction.

use std::{collections::HashSet, panic::AssertUnwindSafe, slice, sync::Arc, time::Duration};

use futures::FutureExt;
use serde::Serialize;
use serde_json::json;
use store::{Store, Tx};
use types::{Error, Result, TaskId, Timestamp, states::Task};

use super::queue::Commit;
use crate::{
    CHANNEL, Outcome, Registry,
    engine::{
        Hand,
        attempt::text_of,
        finish::let_go,
        held::{Key, locked, set, text},
        journal, meter,
    },
};

/// How long a group waits for a row. Together its members lock rows in an order that nobody else keeps to: it gives way
/// long before a database would find that somebody waits for it in turn.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long one alone does, before it is tried again later.
const LONGEST: Duration = Duration::from_secs(30);

/// A task that is to end so.
pub(in crate::engine) struct Ending {
    pub hand: Arc<Hand>,
    pub outcome: Outcome,
    /// Whether the workflow changes its rows: not when an abandoned task's rows could not be changed.
    pub finish: bool,
}

impl Ending {
    fn state(&self) -> Task {
        match self.outcome {
            Outcome::Succeeded => Task::Succeeded,
            Outcome::Failed(_) => Task::Failed,
            Outcome::Cancelled(_) => Task::Cancelled,
        }
    }

    fn claim(&self) -> Key {
        Key::new(self.hand.id, self.hand.fence)
    }
}

/// The end in the columns of `task`.
#[derive(Serialize)]
struct End {
    task_id: TaskId,
    state: Task,
    error: Option<String>,
    at: i64,
}

const COLUMNS: &[(&str, &str)] = &[
    ("task_id", "text"),
    ("state", "text"),
    ("error", "text"),
    ("at", "bigint"),
];

/// Why a transaction of ends is given up.
enum Spoiled {
    /// What a workflow's `finish` said.
    Finish(Error),
    /// What the journal's own writes said.
    Journal(Error),
}

pub(super) struct Ends {
    store: Store,
    registry: Arc<Registry>,
    owner: String,
}

impl Commit for Ends {
    type Item = Ending;
    /// The permanent error that [`crate::Workflow::finish`] gave, and which keeps the task from ending.
    type Answer = Option<Error>;

    /// A group of which one cannot end now is written side by side, so that the others do.
    async fn together(&self, ends: &[Ending]) -> Option<Vec<Result<Option<Error>>>> {
        self.write(ends, PATIENCE).await.ok()
    }

    async fn alone(&self, end: &Ending) -> Result<Option<Error>> {
        match self.write(slice::from_ref(end), LONGEST).await {
            Ok(answers) => answers.into_iter().collect::<Result<Vec<_>>>().map(|_| None),
            Err(Spoiled::Finish(error)) if error.is_temporary() || error.code == journal::FENCED => Err(error),
            Err(Spoiled::Finish(error)) => Ok(Some(error)),
            Err(Spoiled::Journal(error)) => Err(error),
        }
    }
}

impl Ends {
    pub fn new(store: Store, registry: Arc<Registry>, owner: String) -> Self {
        Self { store, registry, owner }
    }

    /// All of them, but for those that are another worker's now.
    async fn write(&self, ends: &[Ending], patience: Duration) -> Result<Vec<Result<Option<Error>>>, Spoiled> {
        let mut tx = self.store.begin().await.map_err(Spoiled::Journal)?;
        tx.wait_at_most(patience).await.map_err(Spoiled::Journal)?;
        let claims = ends.iter().map(Ending::claim).collect();
        let ours = locked(&tx, &self.owner, &claims).await.map_err(Spoiled::Journal)?;
        let ours: Vec<_> = ends.iter().filter(|end| ours.contains_key(&end.claim())).collect();
        for end in ours.iter().filter(|end| end.finish) {
            self.finish(&mut tx, end).await.map_err(Spoiled::Finish)?;
        }
        write(&mut tx, &ours).await.map_err(Spoiled::Journal)?;
        tx.commit().await.map_err(Spoiled::Journal)?;
        for end in &ours {
            meter::ended(&end.hand.row.kind, end.state());
        }
        let ours: HashSet<_> = ours.into_iter().map(Ending::claim).collect();
        let answer = |end: &Ending| match ours.contains(&end.claim()) {
            true => Ok(None),
            false => Err(journal::lost(end.hand.id)),
        };
        Ok(ends.iter().map(answer).collect())
    }

    async fn finish(&self, tx: &mut Tx, end: &Ending) -> Result<()> {
        let hand = &end.hand;
        let Some(workflow) = self.registry.get(&hand.row.kind) else {
            return Err(Error::broken(format!(
                "this version knows no workflow {}",
                hand.row.kind
            )));
        };
        let work = workflow.finish(&hand.row.params, &hand.cx, tx, &end.outcome);
        let result = AssertUnwindSafe(work).catch_unwind().await;
        result.unwrap_or_else(|panic| Err(Error::broken(format!("finish panicked: {}", text_of(&*panic)))))
    }
}

async fn write(tx: &mut Tx, ends: &[&Ending]) -> Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    states(tx, ends).await?;
    let events = ends.iter().map(|end| {
        let data = end
            .outcome
            .error()
            .map_or_else(|| json!({}), |error| json!({ "error": error }));
        (&end.hand.cx, journal::event(&end.hand.row, end.state(), data))
    });
    tx.events(events).await?;
    let over: Vec<_> = ends.iter().map(|end| (&end.hand.row, end.state())).collect();
    let_go(tx, &over).await?;
    tx.wake(CHANNEL);
    Ok(())
}

/// Nobody has them any more. An end that does not follow from a task's state is a defect, and spoils them all.
async fn states(tx: &Tx, ends: &[&Ending]) -> Result<()> {
    let rows = ends.iter().map(|end| {
        let error = end.outcome.error().map(serde_json::to_string).transpose();
        Ok(End {
            task_id: end.hand.id,
            state: end.state(),
            error: error.map_err(|e| Error::broken("the error of a task cannot be written as JSON").because(e))?,
            at: Timestamp::now().as_micros(),
        })
    });
    let rows: Vec<_> = rows.collect::<Result<_>>()?;
    let sql = format!(
        "UPDATE task SET state = x.state, error = x.error, owner = NULL, due_at = NULL, finished_at = x.at FROM {} \
         WHERE task.id = x.task_id AND task.state || '>' || x.state IN ({}) \
         RETURNING task.id AS task_id, task.fence AS number",
        set(tx, COLUMNS),
        steps_of_life(),
    );
    let written: Vec<Key> = tx.rows(&sql, vec![text(&rows)?]).await?;
    let written: HashSet<_> = written.into_iter().collect();
    match ends.iter().find(|end| !written.contains(&end.claim())) {
        None => Ok(()),
        Some(end) => {
            let text = format!("{} is in a state that cannot become {}", end.hand.id, end.state());
            Err(Error::conflict(text).code("wrong_state"))
        }
    }
}

/// Which state may become which, as a list of texts.
fn steps_of_life() -> String {
    let pairs = Task::ALL.iter().flat_map(|from| {
        let next = Task::ALL.iter().filter(|next| from.may_become(**next));
        next.map(move |next| format!("'{from}>{next}'"))
    });
    pairs.collect::<Vec<_>>().join(", ")
}
