//! How far the children of a task are, at hand or in history: counted when somebody asks, so that it is always right.

use std::{collections::HashMap, fmt};

use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, sea_query::Expr};
use store::Store;
use types::{Result, TaskId, states::Task};

use crate::row::record;

/// How many children are in which state. As text it is a parent's progress: `137 of 200 done, 2 failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub total: u64,
    pub done: u64,
    pub failed: u64,
    pub cancelled: u64,
    /// They need an operator.
    pub stopped: u64,
}

impl Tally {
    pub(crate) async fn of(store: &Store, parent: TaskId) -> Result<Self> {
        let mut all = tallies(store, &[parent]).await?;
        Ok(all.remove(&parent).unwrap_or_default())
    }

    /// How many are not over.
    pub fn open(&self) -> u64 {
        self.total - self.done - self.failed - self.cancelled
    }

    fn add(&mut self, state: Task, count: u64) {
        self.total += count;
        match state {
            Task::Succeeded => self.done += count,
            Task::Failed => self.failed += count,
            Task::Cancelled => self.cancelled += count,
            Task::NeedsOperator => self.stopped += count,
            Task::Queued | Task::Running | Task::Undoing => {}
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} done", self.done, self.total)?;
        let rest = [
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.stopped, "waiting for an operator"),
        ];
        rest.iter()
            .filter(|(count, _)| *count > 0)
            .try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

#[derive(FromQueryResult)]
struct Count {
    parent: TaskId,
    state: Task,
    count: i64,
}

/// The tallies of those of `parents` that have children, in one query.
pub async fn tallies(store: &Store, parents: &[TaskId]) -> Result<HashMap<TaskId, Tally>> {
    let mut tallies = HashMap::new();
    if parents.is_empty() {
        return Ok(tallies);
    }
    let counts = record::Entity::find()
        .select_only()
        .column(record::Column::Parent)
        .column(record::Column::State)
        .column_as(Expr::cust("count(*)"), "count")
        .filter(record::Column::Parent.is_in(parents.iter().copied()))
        .group_by(record::Column::Parent)
        .group_by(record::Column::State)
        .into_model::<Count>();
    for Count { parent, state, count } in store.rows(counts).await? {
        let tally: &mut Tally = tallies.entry(parent).or_default();
        tally.add(state, u64::try_from(count).unwrap_or_default());
    }
    Ok(tallies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_progress() {
        let mut tally = Tally::default();
        tally.add(Task::Succeeded, 137);
        tally.add(Task::Running, 61);
        assert_eq!(tally.to_string(), "137 of 198 done");
        tally.add(Task::Failed, 2);
        assert_eq!(
            (tally.to_string().as_str(), tally.open()),
            ("137 of 200 done, 2 failed", 61)
        );
        tally.add(Task::Cancelled, 1);
        tally.add(Task::NeedsOperator, 1);
        let text = "137 of 202 done, 2 failed, 1 cancelled, 1 waiting for an operator";
        assert_eq!((tally.to_string().as_str(), tally.open()), (text, 62));
    }
}
