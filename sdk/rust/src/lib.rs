//! Isobar for Rust programs.
//!
//! ```no_run
//! # async fn run() -> isobar_sdk::Result<()> {
//! use isobar_sdk::{Client, Deadline, Query, api::server};
//! use std::time::Duration;
//!
//! let client = Client::from_env()?;
//! let wanted = server::Create { name: "web".into(), image: "debian".into(), flavor: "small".into(), networks: vec!["lan".into()], ..Default::default() };
//! for made in client.servers().create(&wanted).await?.items {
//!     client.settle(made.task, Deadline::after(Duration::from_secs(300)), |task| println!("{}", task.progress)).await?;
//! }
//! for server in client.servers().list(Query::new().filter("state", "running")).all().await? {
//!     println!("{} {}", server.name, server.state);
//! }
//! # Ok(()) }
//! ```
//!
//! - A [`Client`] is cheap to clone and does nothing before its first request; it logs in by itself and again when its token ends.
//! - Every call has a deadline. Only what may be repeated is retried: reads, `PUT`, `DELETE`, and creates (which carry an idempotency key).
//! - Every failure is an [`Error`]: a [`types::Error`] with the answer's status and request id.

mod auth;
mod cache;
mod call;
mod client;
mod error;
mod events;
mod http;
mod identity;
mod image;
mod noun;
mod nouns;
mod query;
mod retry;
mod session;
mod wait;

pub use auth::Auth;
pub use call::{Call, Reply};
pub use client::{Client, Options, Service};
pub use error::{Error, Result};
pub use events::{Follow, sse};
pub use identity::{Assignment, Identity, Target, Who};
pub use image::{Images, NewImage};
pub use noun::{Creatable, Deletable, Noun, Pages, Resource, Updatable};
pub use nouns::*;
pub use query::Query;
pub use reqwest::Method;
pub use session::Session;
pub use types::{self, api};
pub use wait::Deadline;
