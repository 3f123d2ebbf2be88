//! Lists come in pages, so that a whole cloud is never in memory at once.

use serde::{Deserialize, Serialize};

/// Where the next page begins; opaque to everyone but the driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// One page, with what could not be read on it.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Items that were there but could not be understood: which one, and why. The others are not lost for it.
    pub skipped: Vec<Skipped>,
    pub next: Option<Cursor>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub item: String,
    pub reason: String,
}

impl<T> Page<T> {
    pub fn last(items: Vec<T>) -> Self {
        Self {
            items,
            skipped: Vec::new(),
            next: None,
        }
    }
}
