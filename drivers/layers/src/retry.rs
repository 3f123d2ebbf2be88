//! Makes temporary failures go away by calling again, later and later, for as long as the call's deadline allows.

use std::time::Duration;

use contract::{Call, Error, Kind, Result};
use futures::{FutureExt, future::BoxFuture};

use crate::{Layer, Method, Next};

/// Exponential backoff with jitter. What the cloud asked for in a `Throttled` answer is waited at least.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// How often a call is made at most.
    pub attempts: u32,
    /// The wait after the first failure; it doubles with each further one.
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 6,
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
        }
    }
}

impl Retry {
    /// How long to wait before the next attempt, or `None` when this failure is to be reported.
    fn wait(&self, call: &Call, method: Method, made: u32, error: &Error) -> Option<Duration> {
        if !error.is_temporary() || !method.repeatable || made >= self.attempts || call.cancelled.is_cancelled() {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << (made - 1).min(16)).min(self.longest);
        let jittered = doubled.mul_f64(rand::random_range(0.5..=1.0));
        let wait = jittered.max(error.retry_after.unwrap_or_default());
        (wait < call.remaining()).then_some(wait)
    }
}

impl Layer for Retry {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        async move {
            let mut made = 0;
            loop {
                made += 1;
                let error = match next(call.clone()).await {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                };
                let Some(wait) = self.wait(&call, method, made, &error) else {
                    return Err(error);
                };
                tracing::debug!(
                    method = method.name,
                    made,
                    ?wait,
                    error = error.chain(),
                    "calling again"
                );
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = call.cancelled.cancelled() => {
                        return Err(Error::new(Kind::Cancelled, format!("{} was cancelled", method.name)));
                    }
                }
            }
        }
        .boxed()
    }
}
