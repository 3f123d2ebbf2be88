//! Failures on demand, for tests: before the effect, or after it, when only the answer is lost.

use std::sync::{Arc, Mutex, PoisonError};

use contract::{Call, Error, Result};
use futures::{FutureExt, future::BoxFuture};

use crate::{Layer, Method, Next};

/// On which side of the effect a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    /// The cloud did it; the answer never arrives.
    After,
}

/// A plan of failures. Clones share it, so a test keeps one and gives the other to [`crate::Settings`].
#[derive(Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    waiting: Vec<Fault>,
    /// Every call that came by, in order.
    seen: Vec<&'static str>,
}

struct Fault {
    method: &'static str,
    /// How many calls of the method go well first.
    spare: usize,
    when: When,
    error: Error,
}

impl Faults {
    /// The `nth` call of `method` from now on fails, counted from 1. Each fault strikes once.
    pub fn fail(&self, method: &'static str, nth: usize, when: When, error: Error) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.waiting.push(Fault {
            method,
            spare: nth.saturating_sub(1),
            when,
            error,
        });
    }

    /// How often `method` was called, failures included.
    pub fn count(&self, method: &str) -> usize {
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.seen.iter().filter(|seen| **seen == method).count()
    }

    fn strike(&self, method: Method) -> Option<(When, Error)> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.seen.push(method.name);
        let mut due = None;
        for (at, fault) in plan.waiting.iter_mut().enumerate() {
            match (fault.method == method.name, fault.spare) {
                (true, 0) => due = due.or(Some(at)),
                (true, _) => fault.spare -= 1,
                (false, _) => {}
            }
        }
        due.map(|at| plan.waiting.remove(at))
            .map(|fault| (fault.when, fault.error))
    }
}

impl Layer for Faults {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, method: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        async move {
            match self.strike(method) {
                None => next(call).await,
                Some((When::Before, error)) => Err(error),
                Some((When::After, error)) => next(call).await.and(Err(error)),
            }
        }
        .boxed()
    }
}
