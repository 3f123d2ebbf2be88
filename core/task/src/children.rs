//! Children: tasks that another task starts and waits for.
//!
//! - A child is a task like any other, with a target, steps and an end of its own. [`crate::start_with`] queues a
//!   parent together with its children; [`TaskCx::spawn`] starts children from inside of a workflow.
//! - [`TaskCx::join`] waits for them all. No worker waits and nothing looks again and again: the parent is parked, and
//!   the child that ends last wakes it in the transaction of its own end. A child that fails wakes it too, since the
//!   parent may want to cancel the rest.
//! - A task ends only after all its children have ended, joined or not. When it is cancelled or fails, it cancels them,
//!   waits until they have ended, and is undone then.
//! - What a child has finished stays when its parent fails: each child is complete in itself. Work that is only right
//!   as a whole belongs into steps of one task.

mod tally;

use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Select};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Store, Tx};
use types::{DomainId, Error, Kind, ProjectId, Result, TaskId, states::Task};

use crate::{
    Step, StepCx, Target, TaskCx, Workflow, control,
    cx::Stop,
    engine::{Hand, Shared, journal},
    registry::AnyWorkflow,
    row::task,
    start,
    workflow::{LONGEST, write},
};

pub use tally::{Tally, tallies};

/// The most children that one task may have.
pub const MOST_CHILDREN: u64 = 1000;

/// The code of a join's error: some children did not succeed.
pub const CHILDREN_FAILED: &str = "children_failed";

/// A task that is to be started by another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Child {
    pub(crate) kind: String,
    pub(crate) params: Value,
    pub(crate) noun: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: Option<(ProjectId, DomainId)>,
}

impl Child {
    /// `workflow`, which will hold `target`.
    pub fn of<W: Workflow>(workflow: &W, target: Target) -> Result<Self> {
        Ok(Self {
            kind: W::NAME.to_owned(),
            params: write(W::NAME, workflow)?,
            noun: target.noun.to_owned(),
            id: target.id,
            name: target.name,
            owner: target.owner,
        })
    }
}

/// What the failure of one child means for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// They go on.
    WaitForAll,
    /// They are cancelled.
    FirstFailure,
}

impl TaskCx {
    /// Starts children, once: the journal remembers them. List [`Spawn`] and [`Join`] in `steps()`.
    ///
    /// Errors: `Conflict` with code `busy` when another task holds the target of a child; none is started then.
    pub async fn spawn(&self, children: Vec<Child>) -> Result<Vec<TaskId>> {
        self.step(Spawn { children }).await
    }

    /// Waits until all children are over. List [`Join`] in `steps()`.
    ///
    /// Errors: code [`CHILDREN_FAILED`] when some failed or were cancelled. It says how many, is of the kind of the
    /// first failure, and has that failure as its cause.
    pub async fn join(&self, policy: Policy) -> Result<()> {
        self.step(Join { policy }).await
    }
}

/// The step that starts children.
#[derive(Serialize, Deserialize)]
pub struct Spawn {
    children: Vec<Child>,
}

impl Step for Spawn {
    type Output = Vec<TaskId>;
    const NAME: &'static str = "spawn";

    async fn run(&self, cx: &StepCx) -> Result<Vec<TaskId>> {
        let mut tx = cx.tx().await?;
        let ids = insert(cx.cx(), &mut tx, cx.task(), &self.children).await?;
        cx.commit(tx, &ids).await?;
        Ok(ids)
    }

    /// Nothing: before any step is undone the engine has cancelled the children and waited for their end.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// The step that waits for children.
#[derive(Serialize, Deserialize)]
pub struct Join {
    policy: Policy,
}

impl Step for Join {
    type Output = ();
    const NAME: &'static str = "join";

    /// As long as the task itself may take.
    fn limit(&self) -> std::time::Duration {
        LONGEST
    }

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let tally = Tally::of(cx.store(), cx.task()).await?;
        let bad = tally.failed + tally.cancelled;
        if tally.open() > 0 {
            if bad > 0 && self.policy == Policy::FirstFailure {
                cancel_open(cx.shared(), cx.cx(), cx.task()).await?;
            }
            return Err(cx.park(LONGEST));
        }
        match first_failure(cx.store(), cx.task()).await? {
            Some(first) => Err(failure(tally, &first)),
            None => Ok(()),
        }
    }

    /// Nothing: waiting changed nothing.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// Queues children of `parent` in the caller's transaction.
pub(crate) async fn insert(cx: &auth::Cx, tx: &mut Tx, parent: TaskId, children: &[Child]) -> Result<Vec<TaskId>> {
    room(tx, parent, children.len() as u64).await?;
    let mut ids = Vec::with_capacity(children.len());
    for child in children {
        ids.push(start::queue(cx, tx, Some(parent), child).await?);
    }
    Ok(ids)
}

/// Refuses more children than a task may have.
async fn room(tx: &Tx, parent: TaskId, more: u64) -> Result<()> {
    let known = of(parent).order_by_asc(task::Column::Id);
    let full = match MOST_CHILDREN.checked_sub(more) {
        None => true,
        // Is there a child more than would leave enough room?
        Some(left) => tx.one(sea_orm::QuerySelect::offset(known, left)).await?.is_some(),
    };
    if full {
        let text = format!("{parent} would have more than {MOST_CHILDREN} children: start fewer at once");
        return Err(Error::invalid(text).on("task", parent));
    }
    Ok(())
}

/// A child ended in this transaction: its parent is woken when it waits for nobody else, or may mind the failure.
pub(crate) async fn ended(tx: &mut Tx, parent: TaskId, state: Task) -> Result<()> {
    // The ends of siblings are one after the other from here on, so that the last one knows that it is the last.
    let Some(row) = tx.lock(task::Entity::find_by_id(parent)).await? else {
        return Ok(());
    };
    let minds = state != Task::Succeeded && row.state == Task::Running;
    if minds || !any_open(tx, parent).await? {
        control::wake(tx, parent).await?;
    }
    Ok(())
}

/// Whether the task has children that are not over.
pub(crate) async fn any_open(tx: &Tx, parent: TaskId) -> Result<bool> {
    tx.one(open(parent)).await.map(|row| row.is_some())
}

/// Whether tasks of this workflow may have children.
pub(crate) fn may_have(workflow: &dyn AnyWorkflow) -> bool {
    workflow.step(Join::NAME).is_some()
}

/// Parks the task until its children are over.
pub(crate) async fn await_end(shared: &Shared, hand: &Hand) -> Result<(), Stop> {
    let row = shared.store.one(open(hand.id)).await;
    match row.map_err(|error| journal::unwritten(hand, &error))? {
        Some(_) => Err(Stop::Later(LONGEST)),
        None => Ok(()),
    }
}

/// Cancels the children, and parks the task until they are over.
pub(crate) async fn stop(shared: &Arc<Shared>, hand: &Hand) -> Result<(), Stop> {
    let done = cancel_open(shared, &hand.cx, hand.id).await;
    done.map_err(|error| journal::unwritten(hand, &error))?;
    await_end(shared, hand).await
}

/// One transaction each, and none of them on the parent's row: a child's end locks the child and then its parent.
async fn cancel_open(shared: &Shared, cx: &auth::Cx, parent: TaskId) -> Result<()> {
    let asked = task::Column::CancelRequested.eq(false);
    for child in shared.store.all(open(parent).filter(asked)).await? {
        let by = parent.to_string();
        match control::cancel_by(cx, &shared.store, &shared.registry, child.id, &by).await {
            // It ended meanwhile, or waits for an operator.
            Err(error) if error.kind == Kind::Conflict => {}
            done => done?,
        }
    }
    Ok(())
}

async fn first_failure(store: &Store, parent: TaskId) -> Result<Option<task::Model>> {
    let bad = of(parent).filter(task::Column::State.is_in([Task::Failed, Task::Cancelled]));
    let first = bad
        .order_by_asc(task::Column::FinishedAt)
        .order_by_asc(task::Column::Id);
    store.one(first).await
}

fn failure(tally: Tally, first: &task::Model) -> Error {
    let cause = first.error.as_ref();
    let cause = cause.map_or_else(|| Error::broken("it gave no reason"), |json| json.0.clone());
    let mut error = cause
        .wrap(format!("{} `{}`", first.resource_noun, first.resource_name))
        .wrap(format!(
            "{} of {} did not succeed; the first to fail",
            tally.failed + tally.cancelled,
            tally.total
        ))
        .code(CHILDREN_FAILED);
    // A cancelled child does not make its parent a cancelled task.
    if error.kind == Kind::Cancelled {
        error.kind = Kind::Conflict;
    }
    error
}

fn of(parent: TaskId) -> Select<task::Entity> {
    task::Entity::find().filter(task::Column::Parent.eq(parent))
}

/// Written for the small index of children that are not over.
pub(crate) fn open(parent: TaskId) -> Select<task::Entity> {
    of(parent).filter(task::Column::FinishedAt.is_null())
}
