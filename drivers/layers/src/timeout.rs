//! Ends each attempt at a call when its time is up, so that a silent cloud costs an attempt and not the deadline.

use std::time::Duration;

use contract::{Call, Result};
use futures::{FutureExt, future::BoxFuture};

use crate::{Layer, Method, Next};

/// What one attempt may take. A method that cannot be repeated, or that waits by its nature, has the whole deadline.
#[derive(Clone, Copy, Debug)]
pub struct Timeout {
    pub attempt: Duration,
}

impl Default for Timeout {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(60),
        }
    }
}

impl Layer for Timeout {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        let call = match method.repeatable && !method.waits {
            true => call.within(self.attempt),
            false => call,
        };
        async move { call.bound(method.name, next(call.clone())).await }.boxed()
    }
}
