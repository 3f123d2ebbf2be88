//! What a user may read when something went wrong: one sentence, a stable code, the causes.
//! HTTP status codes are chosen in `core/web`, exit codes in `climc`; both from [`Kind`].

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure this is. Callers branch on it; the text is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request itself is wrong; sending it again changes nothing.
    Invalid,
    /// No valid credentials were presented.
    Unauthenticated,
    /// The caller may see the object but not do this to it.
    Denied,
    NotFound,
    /// The object is in a state, or held by a task, that excludes the request.
    Conflict,
    /// A limit of the project is reached.
    Quota,
    /// No host, pool or network has room.
    Capacity,
    /// The cloud behind cannot do this at all.
    Unsupported,
    /// Too many requests; try again after [`Error::retry_after`].
    Throttled,
    /// Something needed is not reachable now; trying again may help.
    Unavailable,
    /// A deadline passed.
    Timeout,
    /// Work was cancelled by a person.
    Cancelled,
    /// A defect of ours or of a peer.
    Broken,
}

impl Kind {
    /// Whether the same request may succeed later without anybody changing it.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable | Self::Timeout)
    }

    /// The default stable code when nothing more exact was given.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Quota => "quota_exceeded",
            Self::Capacity => "no_capacity",
            Self::Unsupported => "unsupported",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Broken => "internal",
        }
    }
}

/// The one error type of the product. It can be stored in a task and sent over the wire whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    pub kind: Kind,
    /// Stable, snake_case, more exact than the kind: `name_taken`, `disk_attached`.
    pub code: String,
    /// One sentence naming the object and the way out.
    pub message: String,
    /// `noun/id` of what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The chain below, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// Structured facts for programs, for example the holding task or counts per filter.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: kind.code().to_owned(),
            message: message.into(),
            resource: None,
            causes: Vec::new(),
            retry_after: None,
            details: serde_json::Value::Null,
        }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub fn not_found(noun: &str, key: impl fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {noun} `{key}` that you can see")).on(noun, key)
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// A defect: something that was believed impossible.
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new(Kind::Broken, message)
    }

    pub fn code(mut self, code: &str) -> Self {
        self.code = code.to_owned();
        self
    }

    pub fn on(mut self, noun: &str, id: impl fmt::Display) -> Self {
        self.resource = Some(format!("{noun}/{id}"));
        self
    }

    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }

    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds what lies below, with its own chain.
    pub fn because(mut self, cause: impl std::error::Error) -> Self {
        self.causes.push(cause.to_string());
        let mut next = cause.source();
        while let Some(source) = next {
            let text = source.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = source.source();
        }
        self
    }

    /// Puts a sentence of ours in front of an error from below; kind and code stay.
    pub fn wrap(mut self, message: impl Into<String>) -> Self {
        let below = std::mem::replace(&mut self.message, message.into());
        self.causes.insert(0, below);
        self
    }

    pub fn is_temporary(&self) -> bool {
        self.kind.is_temporary()
    }

    /// The sentence and its causes on one line, for logs and terminals.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        for cause in &self.causes {
            text.push_str(": ");
            text.push_str(cause);
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_error_keeps_kind_and_order() {
        let below = Error::unavailable("no answer from 10.0.0.1").because(std::io::Error::other("refused"));
        let error = below.wrap("host h1 cannot be reached");
        assert_eq!(error.kind, Kind::Unavailable);
        assert_eq!(
            error.chain(),
            "host h1 cannot be reached: no answer from 10.0.0.1: refused"
        );
    }
}
