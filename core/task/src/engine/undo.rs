//! Going backwards: from the journal alone, newest step first, each until it succeeds or a person must look.

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use types::{Error, Result};

use super::{Hand, Point, Shared, attempt::bounded, journal, meter, retry::backoff};
use crate::{
    StepCx, StepKind,
    cx::{Mode, PARKED, Stop},
    registry::AnyWorkflow,
    row::step,
    workflow::MISFIT,
};

/// Undoes every step that `which` names and that is not undone yet.
pub(super) async fn all(
    shared: &Arc<Shared>,
    hand: &Arc<Hand>,
    workflow: &dyn AnyWorkflow,
    which: fn(&step::Model) -> bool,
) -> Result<(), Stop> {
    let rows = journal::read(&shared.store, hand.id).await;
    let rows = rows.map_err(|error| journal::unwritten(hand, &error))?;
    let open = |row: &step::Model| row.state != types::states::TaskStep::Undone && which(row);
    for row in rows.into_iter().rev().filter(open) {
        if hand.drain.is_cancelled() {
            return Err(Stop::HandOver);
        }
        let kind = workflow.step(&row.name).ok_or_else(|| {
            let text = format!("this version of {} has no step {} to undo", hand.row.kind, row.name);
            Stop::Stuck(Error::broken(text).code(MISFIT))
        })?;
        one(shared, hand, kind, row).await?;
    }
    Ok(())
}

async fn one(shared: &Arc<Shared>, hand: &Arc<Hand>, kind: &StepKind, row: step::Model) -> Result<(), Stop> {
    let limit = (kind.limit)(&row.params).map_err(Stop::Stuck)?;
    let deadline = Instant::now() + limit;
    let cx = StepCx::new(
        shared.clone(),
        hand.clone(),
        row.clone(),
        Mode::Undo,
        deadline,
        CancellationToken::new(),
    );
    let begun = Instant::now();
    let result = effect(&cx, kind, &row, deadline).await;
    meter::undo(kind.name, begun.elapsed(), result.is_ok());
    if let Err(error) = result {
        return Err(not_undone(shared, hand, row, error).await);
    }
    if !cx.committed() {
        let kept = async {
            let tx = journal::fenced(&shared.store, hand).await?;
            journal::undone(&tx, &row).await?;
            journal::changed(tx).await
        };
        kept.await.map_err(|error| journal::unwritten(hand, &error))?;
    }
    shared.at(Point::AfterUndoJournal, row.seq, kind.name).await;
    Ok(())
}

async fn effect(cx: &StepCx, kind: &StepKind, row: &step::Model, deadline: Instant) -> Result<()> {
    let shared = cx.shared();
    if let Some(error) = shared.at(Point::BeforeUndo, row.seq, kind.name).await {
        return Err(error);
    }
    bounded(deadline, kind.name, (kind.undo)(&row.params, cx)).await?;
    match shared.at(Point::AfterUndo, row.seq, kind.name).await {
        Some(error) if !cx.committed() => Err(error),
        _ => Ok(()),
    }
}

/// A timer, or after too many attempts a person.
async fn not_undone(shared: &Shared, hand: &Hand, mut row: step::Model, error: Error) -> Stop {
    match error.code.as_str() {
        journal::FENCED => return Stop::Lost,
        PARKED => return Stop::Later(error.retry_after.unwrap_or_default()),
        MISFIT => return Stop::Stuck(error),
        _ => {}
    }
    tracing::warn!(step = row.name, error = error.chain(), "the step could not be undone");
    row.undo_attempts += 1;
    let kept = async {
        let tx = journal::fenced(&shared.store, hand).await?;
        journal::tried(&tx, &row, &error).await?;
        journal::changed(tx).await
    };
    if let Err(error) = kept.await {
        return journal::unwritten(hand, &error);
    }
    if row.undo_attempts >= shared.settings.undo_attempts {
        let text = format!(
            "step {} could not be undone in {} attempts",
            row.name, row.undo_attempts
        );
        return Stop::Stuck(error.wrap(text));
    }
    meter::retried(&row.name);
    let wait = backoff(&shared.settings, row.undo_attempts - 1);
    Stop::Later(wait.max(error.retry_after.unwrap_or_default()))
}
