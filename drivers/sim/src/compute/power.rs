//! On, off and on again.

use contract::{Error, ExternalRef, Result, compute::Stop};
use types::states::Power;

use super::reach;
use crate::{
    cloud::Draft,
    world::{Change, Machine, Turn},
};

pub(super) fn start(draft: &mut Draft<'_>, machine: &ExternalRef, latency: u64) -> Result<()> {
    draft.subject = machine.to_string();
    let mut row = reach(draft.world, machine)?.clone();
    if row.heading() == Power::On {
        return Ok(());
    }
    row.boots += 1;
    row.on_at = draft.now + latency;
    turn(draft, row, Power::On, latency);
    Ok(())
}

pub(super) fn stop(draft: &mut Draft<'_>, machine: &ExternalRef, how: Stop, latency: u64) -> Result<()> {
    let row = reach(draft.world, machine)?.clone();
    match how {
        _ if row.heading() == Power::Off => {}
        Stop::Soft if row.deaf => {}
        Stop::Soft => turn(draft, row, Power::Off, latency),
        Stop::Hard => turn(draft, row, Power::Off, 0),
    }
    Ok(())
}

pub(super) fn reboot(draft: &mut Draft<'_>, machine: &ExternalRef, how: Stop) -> Result<()> {
    draft.subject = machine.to_string();
    let mut row = reach(draft.world, machine)?.clone();
    if row.heading() != Power::On {
        let message = format!("server {} does not run: start it instead", row.name);
        return Err(Error::conflict(message).code("server_stopped").on("server", machine));
    }
    if how == Stop::Hard || !row.deaf {
        row.boots += 1;
        draft.push(Change::Machine(row));
    }
    Ok(())
}

/// Until the latency is over, the old power shows.
fn turn(draft: &mut Draft<'_>, row: Machine, to: Power, latency: u64) {
    let shown = row.power(draft.now);
    draft.push(Change::Machine(Machine {
        power: if latency == 0 { to } else { shown },
        turn: (latency > 0).then_some(Turn {
            to,
            at: draft.now + latency,
        }),
        ..row
    }));
}
