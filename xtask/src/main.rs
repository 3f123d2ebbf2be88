//! Developer commands: gen, tidy, bench.
fn main() {}
