//! What the tests share: processes, an installation to talk to, and the peers that must be there.

mod peers;
mod process;
mod roles;
mod sim;
mod site;

use std::time::{Duration, Instant};

pub use peers::{Libvirt, Postgres, openstack, postgres};
pub use process::{Process, program};
pub use roles::Roles;
pub use sim::Lab;
pub use site::Site;

/// How often a level is looked at. Nothing waits for a time to pass, only for something to be so.
const LOOK: Duration = Duration::from_millis(50);

/// What `look` finds, as soon as it finds something; a failed test after `seconds`.
pub fn wait<T>(what: &str, seconds: u64, look: impl FnMut() -> Option<T>) -> T {
    within(Duration::from_secs(seconds), look).unwrap_or_else(|| panic!("waited {seconds} s in vain: {what}"))
}

/// As [`wait`], for what need not come.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let found = look();
        if found.is_some() || Instant::now() >= end {
            return found;
        }
        std::thread::sleep(LOOK);
    }
}

/// As [`wait`], for what is only so or not.
pub fn wait_until(what: &str, seconds: u64, mut so: impl FnMut() -> bool) {
    wait(what, seconds, || so().then_some(()));
}
