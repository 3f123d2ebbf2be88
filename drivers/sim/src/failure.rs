//! Failures on demand: by order of a test, else by the dice of `failure_rate`.

use std::{sync::atomic::Ordering, time::Duration};

use contract::{Error, Kind, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    cloud::SimCloud,
    world::{Change, Failure, Side, World},
};

impl SimCloud {
    /// Whether this call is to fail: and on which side of its effect.
    pub async fn failure(&self, method: &'static str) -> Result<Option<(Side, Error)>> {
        let strikes = |f: &Failure| f.method.as_deref().is_none_or(|m| m == method);
        if self.store.read(|world| world.failures.iter().any(strikes)).await? {
            let act = |world: &World, changes: &mut Vec<Change>| {
                let mut failures = world.failures.clone();
                let Some(at) = failures.iter().position(strikes) else {
                    return Ok(None);
                };
                let struck = failures[at].clone();
                failures[at].left = failures[at].left.saturating_sub(1);
                failures.retain(|f| f.left > 0);
                changes.push(Change::Failures(failures));
                Ok(Some((struck.side, struck.kind)))
            };
            if let Some((side, kind)) = self.store.write(act).await? {
                return Ok(Some((side, refusal(kind, method))));
            }
        }
        if self.options.failure_rate == 0.0 {
            return Ok(None);
        }
        let nth = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut dice = StdRng::seed_from_u64(self.options.seed.wrapping_mul(0x9e37_79b9).wrapping_add(nth));
        if !dice.random_bool(self.options.failure_rate) {
            return Ok(None);
        }
        let side = if dice.random_bool(0.5) {
            Side::Before
        } else {
            Side::After
        };
        Ok(Some((side, refusal(Kind::Unavailable, method))))
    }
}

fn refusal(kind: Kind, method: &str) -> Error {
    let error = Error::new(
        kind,
        format!("the simulated cloud failed `{method}`, as it was told to"),
    )
    .code("simulated");
    match kind {
        Kind::Throttled => error.after(Duration::from_millis(50)),
        _ => error,
    }
}
