//! climc: the Isobar command line.
fn main() {}
