//! What travels over the wire between the region, its clients and the console: one file per noun.
//!
//! `Create` and `Update` are what callers send (unknown fields are refused), `View` is what they get back.

pub mod account;
pub mod disk;
pub mod event;
pub mod flavor;
pub mod host;
pub mod keypair;
pub mod network;
pub mod ops;
pub mod place;
pub mod quota;
pub mod server;
pub mod snapshot;
pub mod task;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, TaskId};

/// Free labels: at most 50, keys and values up to 128 characters.
pub type Tags = BTreeMap<String, String>;

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Items<T> {
    pub items: Vec<T>,
    /// Send it as `after` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The answer to a request that takes time: what it is about, and the task to follow.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Accepted<T> {
    pub item: T,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub task: Option<TaskId>,
}

/// Checks a name: 1 to 63 letters, digits, `-`, `_` or `.`, beginning with a letter or digit.
pub fn check_name(noun: &str, name: &str) -> Result<()> {
    let good = name.len() <= 63
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if good {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{name}` cannot be the name of a {noun}: use 1 to 63 letters, digits, `-`, `_` or `.`, beginning with a letter or digit"
    ))
    .code("bad_name"))
}

/// Checks labels against their limits.
pub fn check_tags(tags: &Tags) -> Result<()> {
    if tags.len() > 50 {
        return Err(Error::invalid(format!("{} tags are too many: at most 50", tags.len())));
    }
    match tags
        .iter()
        .find(|(key, value)| key.is_empty() || key.len() > 128 || value.len() > 128)
    {
        Some((key, _)) => Err(Error::invalid(format!(
            "tag `{key}` is too long or empty: keys and values have up to 128 characters"
        ))),
        None => Ok(()),
    }
}
