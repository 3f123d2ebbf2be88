//! Group commit of the journal: steps of many tasks that begin or end together are written in one transaction, and so
//! are the ends of tasks. Each hears its own outcome: a worker that lost its task is refused beside others whose writes
//! go through.

mod ends;
mod lines;
mod queue;

use std::sync::Arc;

use store::Store;
use types::{Error, Result, states::TaskStep};

pub(super) use ends::Ending;

use super::Hand;
use crate::{Registry, row::step};
use ends::Ends;
use lines::{Line, Lines};
use queue::Queue;

/// The writes of one engine.
pub(crate) struct Writer {
    lines: Arc<Queue<Lines>>,
    ends: Arc<Queue<Ends>>,
}

impl Writer {
    pub fn new(store: Store, registry: Arc<Registry>, owner: String) -> Arc<Self> {
        Arc::new(Self {
            ends: Queue::new(Ends::new(store.clone(), registry, owner.clone())),
            lines: Queue::new(Lines { store, owner }),
        })
    }

    /// Writes down a step that begins.
    ///
    /// Errors: `Conflict`, code `fenced`, when the task is another worker's; `Cancelled` when somebody wants the task
    /// undone; `Unavailable` when nobody knows.
    pub async fn begin(&self, hand: &Hand, row: &step::Model) -> Result<()> {
        let line = Line::new(hand, row, TaskStep::Started, None);
        self.lines.write(line).await
    }

    /// Marks a started step as done. Errors as in [`Writer::begin`].
    pub async fn done(&self, hand: &Hand, row: &step::Model, output: &serde_json::Value) -> Result<()> {
        let line = Line::new(hand, row, TaskStep::Done, Some(output.to_string()));
        self.lines.write(line).await
    }

    /// Ends a task; or returns the permanent error that [`crate::Workflow::finish`] gave. Errors as in [`Writer::begin`].
    pub(super) async fn end(&self, ending: Ending) -> Result<Option<Error>> {
        self.ends.write(ending).await
    }
}
