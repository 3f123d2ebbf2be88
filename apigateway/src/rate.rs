//! How many requests one client may send: two paces, one for logins and one for the rest.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{
    Extension,
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use types::{Error, Kind};
use web::Problem;

use crate::{Gateway, Pace, Rate, client::Client};

/// After this many requests, parties that have their full burst again are forgotten. It bounds what is remembered: at
/// most this many parties and those that are still being held.
const SWEEP: usize = 4096;

pub struct Limiters {
    logins: Option<Limiter>,
    requests: Option<Limiter>,
}

impl Limiters {
    pub fn new(rate: &Rate) -> Self {
        Self {
            logins: Limiter::new(rate.logins),
            requests: Limiter::new(rate.requests),
        }
    }
}

struct Limiter {
    parties: DefaultKeyedRateLimiter<IpAddr>,
    seen: AtomicUsize,
}

impl Limiter {
    fn new(pace: Pace) -> Option<Self> {
        let burst = NonZeroU32::new(pace.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(NonZeroU32::new(pace.per_second)?).allow_burst(burst);
        Some(Self {
            parties: RateLimiter::keyed(quota),
            seen: AtomicUsize::new(1),
        })
    }

    /// Counts one request, or says how long to wait.
    fn count(&self, party: IpAddr) -> Result<(), Duration> {
        if self.seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP) {
            self.parties.retain_recent();
            self.parties.shrink_to_fit();
        }
        let now = || self.parties.clock().now();
        self.parties
            .check_key(&party)
            .map_err(|held| held.wait_time_from(now()))
    }
}

/// Middleware: refuses a client that is too fast.
pub async fn hold(
    State(gateway): State<Gateway>,
    Extension(client): Extension<Client>,
    request: Request,
    next: Next,
) -> Response {
    let login = is_login(&request);
    let limiter = if login {
        &gateway.rate.logins
    } else {
        &gateway.rate.requests
    };
    let Some(Err(wait)) = limiter.as_ref().map(|limiter| limiter.count(client.party())) else {
        return next.run(request).await;
    };
    let wait = Duration::from_secs(wait.as_secs() + 1);
    let what = if login { "logins" } else { "requests" };
    let sentence = format!("too many {what} from your address: try again in {} s", wait.as_secs());
    Problem(Error::new(Kind::Throttled, sentence).after(wait)).into_response()
}

fn is_login(request: &Request) -> bool {
    let path = request.uri().path().trim_end_matches('/');
    request.method() == Method::POST && matches!(path, "/session" | "/identity/v3/auth/tokens")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_crowd_of_addresses_is_forgotten() {
        let limiter = Limiter::new(Pace {
            per_second: 1_000_000_000,
            burst: 4,
        })
        .unwrap();
        for address in 0..10 * SWEEP as u32 {
            limiter.count(Ipv4Addr::from_bits(address).into()).unwrap();
        }
        assert!(limiter.parties.len() <= SWEEP, "{} remembered", limiter.parties.len());
    }

    #[test]
    fn no_pace_no_limit() {
        assert!(
            Limiter::new(Pace {
                per_second: 0,
                burst: 9
            })
            .is_none()
        );
    }
}
