//! What an error means for a step: again later, and when; or the end.

use std::time::Duration;

use rand::RngExt;
use types::{Error, Kind, Timestamp};

use super::Settings;

/// What follows an attempt that did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum After {
    Retry(Duration),
    GiveUp(Error),
}

/// `failed` attempts came before this one; `end` is the step's deadline.
pub(crate) fn after(settings: &Settings, error: Error, failed: i64, end: Timestamp, now: Timestamp) -> After {
    if !error.is_temporary() {
        return After::GiveUp(error);
    }
    let wait = match (error.kind, error.retry_after) {
        (Kind::Throttled, Some(wait)) => wait,
        (_, asked) => backoff(settings, failed).max(asked.unwrap_or_default()),
    };
    if now + wait >= end {
        return After::GiveUp(error.wrap("it did not succeed before its deadline"));
    }
    After::Retry(wait)
}

/// Doubles each time, up to the longest; half of it is chance, so that many do not come back at once.
pub(crate) fn backoff(settings: &Settings, failed: i64) -> Duration {
    let doublings = u32::try_from(failed.clamp(0, 20)).unwrap_or(20);
    let whole = settings
        .backoff
        .saturating_mul(1 << doublings)
        .min(settings.longest_backoff);
    whole / 2 + whole.mul_f64(rand::rng().random_range(0.0..0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(0);

    fn check(error: Error, failed: i64) -> After {
        after(&Settings::default(), error, failed, NOW + Duration::from_secs(60), NOW)
    }

    #[test]
    fn a_permanent_error_is_not_tried_again() {
        let error = Error::invalid("no");
        assert_eq!(check(error.clone(), 0), After::GiveUp(error));
    }

    #[test]
    fn a_throttled_call_waits_as_long_as_it_was_told() {
        let error = Error::new(Kind::Throttled, "slow down").after(Duration::from_secs(7));
        assert_eq!(check(error, 3), After::Retry(Duration::from_secs(7)));
    }

    #[test]
    fn waits_grow_and_stay_below_the_longest() {
        for failed in 0..30 {
            let whole = Settings::default()
                .backoff
                .saturating_mul(1 << failed.min(20))
                .min(Duration::from_secs(30));
            let wait = backoff(&Settings::default(), failed);
            assert!(wait >= whole / 2 && wait <= whole, "{failed}: {wait:?}");
        }
    }

    #[test]
    fn a_wait_beyond_the_deadline_is_the_end() {
        let error = Error::new(Kind::Throttled, "slow down").after(Duration::from_secs(61));
        let After::GiveUp(error) = check(error, 0) else {
            panic!("it was tried again")
        };
        assert_eq!(error.kind, Kind::Throttled);
        assert_eq!(error.chain(), "it did not succeed before its deadline: slow down");
    }
}
