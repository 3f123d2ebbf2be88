//! The guest in a server: what is known of it after its cloud was looked at. Pure.

use std::time::Duration;

use contract::compute::Sign;
use types::{
    Timestamp,
    states::{Guest, Power},
};

use super::Model;

/// A guest without a sign for so long after its power-on is silent: it hangs, or it cannot reach its network.
pub const SILENT_AFTER: Duration = Duration::from_secs(300);

/// What is known of the guest when the cloud shows this power and this sign at `now`.
pub fn judge(row: &Model, power: Power, sign: Option<Sign>, now: Timestamp) -> Option<Guest> {
    match (power, sign) {
        (Power::On, Some(Sign::Given)) => Some(Guest::Up),
        (Power::On, Some(Sign::Awaited)) => Some(waited(row.guest, row.guest_since, now)),
        (Power::On, None) => Some(Guest::Unknown),
        // Nobody sees it, or it stands still: what was known stays.
        (Power::Unknown | Power::Paused, _) => row.guest,
        (Power::Off | Power::Crashed | Power::Missing, _) => None,
    }
}

/// The clock runs from the first look after the power-on, which a command or a change of power forgets.
fn waited(before: Option<Guest>, since: Option<Timestamp>, now: Timestamp) -> Guest {
    let long = since.is_some_and(|since| now.since(since) >= SILENT_AFTER);
    match before {
        Some(Guest::Silent) => Guest::Silent,
        Some(Guest::Booting) if long => Guest::Silent,
        _ => Guest::Booting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_has_five_minutes_to_give_a_sign() {
        let on = Timestamp::now();
        let after = |seconds| on + Duration::from_secs(seconds);
        assert_eq!(waited(None, None, on), Guest::Booting);
        assert_eq!(waited(Some(Guest::Booting), Some(on), after(299)), Guest::Booting);
        assert_eq!(waited(Some(Guest::Booting), Some(on), after(300)), Guest::Silent);
        assert_eq!(waited(Some(Guest::Silent), Some(after(300)), after(301)), Guest::Silent);
        // Its power went and came between two looks: it boots again.
        assert_eq!(waited(Some(Guest::Up), Some(on), after(900)), Guest::Booting);
    }
}
