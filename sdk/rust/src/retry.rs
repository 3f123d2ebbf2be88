//! When a request is sent again, and after how long.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

use types::Kind;

use crate::Error;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// A server that asks for more patience than this is reported instead of waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause before attempt `attempt + 1` (the first is 1), or `None` when the error should be reported.
///
/// - Only what may succeed later: throttled, unavailable, and timeouts, our own or one that an intermediary reported.
/// - `Retry-After` wins over our own backoff.
pub(crate) fn pause(error: &Error, attempt: u32) -> Option<Duration> {
    if !matches!(error.kind, Kind::Throttled | Kind::Unavailable | Kind::Timeout) {
        return None;
    }
    match error.retry_after {
        Some(wait) if wait > PATIENCE => None,
        Some(wait) => Some(wait),
        None => Some(jittered(
            FIRST.saturating_mul(1 << attempt.min(8).saturating_sub(1)).min(LONGEST),
        )),
    }
}

/// Between half and all of `full`, so that many clients do not come back together.
fn jittered(full: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    full.mul_f64(0.5 + random as f64 / 2000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_and_listens_to_the_server() {
        let busy = Error::new(Kind::Unavailable, "busy");
        assert!((100..=200).contains(&pause(&busy, 1).unwrap().as_millis()));
        assert!((5_000..=10_000).contains(&pause(&busy, 30).unwrap().as_millis()));
        let told = |seconds| Error::from(types::Error::unavailable("busy").after(Duration::from_secs(seconds)));
        assert_eq!(pause(&told(7), 1), Some(Duration::from_secs(7)));
        assert_eq!(pause(&told(3600), 1), None);
        assert_eq!(pause(&Error::new(Kind::Invalid, "wrong"), 1), None);
    }
}
