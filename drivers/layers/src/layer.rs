//! The one interception point: a layer gets the call, the method's name and what comes next.

use std::sync::Arc;

use contract::{Call, Result};
use futures::future::BoxFuture;

/// Which method of which family is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// `family.method`, for example `compute.start`.
    pub name: &'static str,
    /// `false` where the arguments can be used once only, as with the stream of an upload.
    pub repeatable: bool,
    /// Waits by its nature until shortly before the call's deadline.
    pub waits: bool,
}

impl Method {
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            repeatable: true,
            waits: false,
        }
    }
}

/// The rest of the way to the cloud. Calling it again makes the call again.
pub type Next<'a, T> = Arc<dyn Fn(Call) -> BoxFuture<'a, Result<T>> + Send + Sync + 'a>;

/// Something that every call passes through.
pub trait Layer: Send + Sync + 'static {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>>;
}

/// The first around the second.
impl<A: Layer, B: Layer> Layer for (A, B) {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        let inner = move |call| self.1.call(call, method, next.clone());
        self.0.call(call, method, Arc::new(inner))
    }
}

/// A layer that may be absent.
impl<L: Layer> Layer for Option<L> {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        match self {
            Some(layer) => layer.call(call, method, next),
            None => next(call),
        }
    }
}
