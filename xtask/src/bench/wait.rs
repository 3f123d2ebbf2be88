//! Waiting for other processes, which can only be looked at. The one place of xtask that sleeps.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Looks every `pause` until there is something.
pub fn until<T>(
    what: &str,
    limit: Duration,
    pause: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("waited {} s and still not: {what}", limit.as_secs());
        }
        sleep(pause);
    }
}

/// Lets a process be idle.
pub fn idle(time: Duration) {
    sleep(time);
}
