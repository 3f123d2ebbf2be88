//! keystone as its clients see it: routes over a real database, and the real OpenStack client over a socket.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

mod access;
mod assignments;
mod client;
mod crud;
mod effects;
mod kit;
mod login;
mod revocation;
