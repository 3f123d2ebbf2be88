//! keystone as its clients see it: routes over a real database, and the real OpenStack client over a socket.

mod access;
mod assignments;
mod client;
mod crud;
mod kit;
mod login;
mod revocation;
