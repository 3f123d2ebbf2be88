//! The Isobar server: one binary, every role.
fn main() {}
