//! How large a run is and which seed it has: small by itself, otherwise what `cargo xtask chaos` says.

use std::{
    env,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

pub struct Size {
    pub seed: u64,
    pub servers: usize,
    pub kills: usize,
}

impl Size {
    pub fn read() -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            seed: variable("SEED").unwrap_or(u64::from(clock.subsec_nanos())),
            servers: variable("SERVERS").unwrap_or(40),
            kills: variable("KILLS").unwrap_or(12),
        }
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let name = format!("ISOBAR_CHAOS_{name}");
    let text = env::var(&name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} is {text}; it must be a whole number")))
}
