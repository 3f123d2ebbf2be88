//! glance through its router, on a real database, real files, real S3 servers and the real OpenStack client.

#![allow(clippy::unwrap_used)]

mod access;
mod content;
mod imports;
mod info;
mod lists;
mod memory;
mod peers;
mod record;
mod s3;
mod sweeps;
mod wire;
mod world;
