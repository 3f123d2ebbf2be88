//! Keeps an account below the rate its cloud allows. Where the permits come from is a seam: [`Buckets`] holds them
//! in this process; a limiter shared by all replicas implements the same trait.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use contract::{Call, Kind, Result};
use futures::{FutureExt, future::BoxFuture};
use tokio::time::Instant;

use crate::{Layer, Method, Next};

/// Hands out permission to call, per account.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Returns when this account may make one more call.
    async fn admit(&self, account: &str, method: Method);

    /// The cloud said that it was too much: nobody calls for `pause`.
    fn throttled(&self, account: &str, method: Method, pause: Duration);
}

/// Asks the limiter before each call and tells it about refusals.
pub struct Throttle {
    pub account: String,
    pub limiter: std::sync::Arc<dyn Limiter>,
}

impl Layer for Throttle {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        async move {
            let admitted = async {
                self.limiter.admit(&self.account, method).await;
                Ok(())
            };
            call.bound(method.name, admitted).await?;
            let answer = next(call).await;
            if let Err(error) = &answer
                && error.kind == Kind::Throttled
            {
                let pause = error.retry_after.unwrap_or(Duration::from_secs(1));
                self.limiter.throttled(&self.account, method, pause);
            }
            answer
        }
        .boxed()
    }
}

/// One token bucket per account, all of the same size.
pub struct Buckets {
    /// Calls a second in the long run.
    rate: f64,
    /// Calls that may come at once after a rest.
    burst: f64,
    accounts: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Negative when callers are waiting for permits that are not there yet.
    permits: f64,
    at: Instant,
    /// Until when the cloud wanted to be left alone.
    paused: Instant,
}

impl Buckets {
    pub fn new(rate: f64, burst: f64) -> Self {
        Self {
            rate,
            burst,
            accounts: Mutex::new(HashMap::new()),
        }
    }

    /// When the last pause ends, or ended.
    fn pause(&self, account: &str) -> Instant {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.get(account).map_or_else(Instant::now, |bucket| bucket.paused)
    }

    /// Takes one permit and says when it becomes valid.
    fn take(&self, account: &str) -> Instant {
        let now = Instant::now();
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = accounts.entry(account.to_owned()).or_insert(Bucket {
            permits: self.burst,
            at: now,
            paused: now,
        });
        if now > bucket.at {
            let grown = bucket.permits + (now - bucket.at).as_secs_f64() * self.rate;
            *bucket = Bucket {
                permits: grown.min(self.burst),
                at: now,
                paused: bucket.paused,
            };
        }
        bucket.permits -= 1.0;
        bucket.at + Duration::from_secs_f64((-bucket.permits).max(0.0) / self.rate)
    }
}

#[async_trait]
impl Limiter for Buckets {
    async fn admit(&self, account: &str, _method: Method) {
        loop {
            let valid = self.take(account);
            let now = Instant::now();
            // A timer costs a turn even when it is due.
            if valid <= now {
                return;
            }
            tokio::time::sleep_until(valid).await;
            // The cloud may have asked for a pause meanwhile: queue again behind it.
            if self.pause(account) <= valid {
                return;
            }
        }
    }

    /// The bucket stays empty until the pause is over.
    fn throttled(&self, account: &str, _method: Method, pause: Duration) {
        let until = Instant::now() + pause;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = accounts.get_mut(account)
            && until > bucket.at
        {
            *bucket = Bucket {
                permits: bucket.permits.min(0.0),
                at: until,
                paused: until,
            };
        }
    }
}
