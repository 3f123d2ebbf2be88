//! What every call into a cloud passes through, written once: `Retry(Throttle(Timeout(Trace(cloud))))`.
//!
//! [`Layer`] is the one place where calls are intercepted; [`Layered`] is the one type that puts a layer around a
//! whole [`contract::Cloud`]. Layers compose as tuples, outermost first. No driver has a retry loop of its own.

pub mod fault;
pub mod layer;
pub mod layered;
pub mod retry;
pub mod throttle;
pub mod timeout;
pub mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use contract::Cloud;

pub use fault::{Faults, When};
pub use layer::{Layer, Method, Next};
pub use layered::Layered;
pub use retry::Retry;
pub use throttle::{Buckets, Limiter, Throttle};
pub use timeout::Timeout;
pub use trace::Trace;

/// How the layers around one connection behave.
#[derive(Clone)]
pub struct Settings {
    /// The driver's kind and the account's name, for spans, metrics and the limiter's key.
    pub driver: &'static str,
    pub account: String,
    pub retry: Retry,
    pub timeout: Timeout,
    /// Shared by all connections of this process; a limiter shared by replicas fits here as well.
    pub limiter: Arc<dyn Limiter>,
    /// For tests: failures between the layers and the cloud.
    pub faults: Option<Faults>,
}

impl Settings {
    pub fn new(driver: &'static str, account: impl Into<String>, limiter: Arc<dyn Limiter>) -> Self {
        Self {
            driver,
            account: account.into(),
            retry: Retry::default(),
            timeout: Timeout::default(),
            limiter,
            faults: None,
        }
    }
}

/// Puts all layers around a connection.
pub fn wrap(cloud: Arc<dyn Cloud>, settings: Settings) -> Arc<dyn Cloud> {
    let throttle = Throttle {
        account: format!("{}/{}", settings.driver, settings.account),
        limiter: settings.limiter,
    };
    let trace = Trace {
        driver: settings.driver,
        account: settings.account,
    };
    let inner = (settings.timeout, (trace, settings.faults));
    Arc::new(Layered::new(cloud, (settings.retry, (throttle, inner))))
}
