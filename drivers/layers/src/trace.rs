//! One span and one measurement for each attempt at a call.

use contract::{Call, Result};
use futures::{FutureExt, future::BoxFuture};
use tokio::time::Instant;
use tracing::Instrument;

use crate::{Layer, Method, Next};

/// Name of the histogram of seconds, with the labels `driver`, `method` and `outcome` (`ok` or the error's kind).
pub const SECONDS: &str = "isobar_driver_call_seconds";

pub struct Trace {
    pub driver: &'static str,
    pub account: String,
}

impl Layer for Trace {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        let span = tracing::info_span!(
            "cloud",
            driver = self.driver,
            account = self.account,
            method = method.name,
            request_id = call.request_id,
        );
        async move {
            let began = Instant::now();
            let answer = next(call).await;
            let outcome = answer.as_ref().map_or_else(|error| error.kind.code(), |_| "ok");
            metrics::histogram!(SECONDS, "driver" => self.driver, "method" => method.name, "outcome" => outcome)
                .record(began.elapsed());
            if let Err(error) = &answer {
                tracing::debug!(outcome, error = error.chain(), "the cloud refused");
            }
            answer
        }
        .instrument(span)
        .boxed()
    }
}
