//! A domain's state in the words of the product. Pure but for the one question.

use contract::{Error, Result};
use types::states::Power;
use virt::{
    domain::{Domain, DomainShutoffReason, DomainState, DomainStateReason},
    enumutil::Enum,
};

use crate::agent::libvirt;

/// `Missing` when libvirt no longer knows the domain.
pub fn of(domain: &Domain) -> Result<Power> {
    let (state, reason) = match domain.state() {
        Err(e) if libvirt::is_absent(&e) => return Ok(Power::Missing),
        other => other.map_err(|e| -> Error { libvirt::error("the power state of a server cannot be read")(e) })?,
    };
    let crashed = matches!(
        reason,
        Enum::Known(DomainStateReason::Shutoff(Enum::Known(DomainShutoffReason::Crashed)))
    );
    Ok(match state {
        Enum::Known(DomainState::Running | DomainState::Blocked | DomainState::Shutdown) => Power::On,
        Enum::Known(DomainState::Paused | DomainState::PMSuspended) => Power::Paused,
        Enum::Known(DomainState::Shutoff) if crashed => Power::Crashed,
        Enum::Known(DomainState::Shutoff) => Power::Off,
        Enum::Known(DomainState::Crashed) => Power::Crashed,
        _ => Power::Unknown,
    })
}
