//! What went wrong with a request: ours ([`types::Error`]) plus what the answer said about itself.

use std::{fmt, ops, time::Duration};

use serde_json::Value;
use types::Kind;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed call. Dereferences to [`types::Error`], so `error.kind` is what callers branch on.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    error: types::Error,
    status: Option<u16>,
    request_id: Option<String>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        types::Error::new(kind, message).into()
    }

    /// The HTTP status, when there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What operators search their logs for.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    pub fn into_inner(self) -> types::Error {
        self.0.error
    }

    /// Puts a sentence in front; kind and code stay.
    pub fn wrap(mut self, message: impl Into<String>) -> Self {
        self.0.error = self.0.error.wrap(message);
        self
    }

    pub fn because(mut self, cause: impl std::error::Error) -> Self {
        self.0.error = self.0.error.because(cause);
        self
    }

    pub(crate) fn invalid_answer(what: &str, cause: impl std::error::Error) -> Self {
        types::Error::broken(format!("the answer to {what} does not have the expected shape"))
            .because(cause)
            .into()
    }

    /// From a transport that gave no complete answer.
    pub(crate) fn transport(origin: &str, cause: reqwest::Error) -> Self {
        let error = if cause.is_timeout() {
            types::Error::new(Kind::Timeout, format!("{origin} did not answer in time"))
        } else if cause.is_builder() {
            types::Error::invalid(format!("a request to {origin} cannot be made"))
        } else {
            types::Error::unavailable(format!("{origin} cannot be reached"))
        };
        error.because(cause.without_url()).into()
    }

    /// From an answer that began and did not end.
    pub(crate) fn broke_off(origin: &str, cause: reqwest::Error) -> Self {
        let message = format!("{origin} broke off in the middle of its answer");
        types::Error::unavailable(message).because(cause.without_url()).into()
    }

    /// From an answer that is not a success: problem+json, OpenStack envelopes, HTML, or nothing.
    pub(crate) fn answer(status: u16, request_id: Option<String>, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
        let mut error = match &json {
            Value::Object(_) if json.get("kind").is_some() || json.get("detail").is_some() => problem(status, &json),
            Value::Object(_) => envelope(status, &json),
            _ => plain(status, body),
        };
        error.retry_after = retry_after.or(error.retry_after);
        let request_id = json
            .get("request_id")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or(request_id);
        Self(Box::new(Inner {
            error,
            status: Some(status),
            request_id,
        }))
    }
}

fn text<'a>(json: &'a Value, key: &str) -> Option<&'a str> {
    json.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn problem(status: u16, json: &Value) -> types::Error {
    let kind = json
        .get("kind")
        .and_then(|kind| serde_json::from_value(kind.clone()).ok())
        .unwrap_or_else(|| kind_of(status));
    let message = text(json, "detail")
        .or(text(json, "title"))
        .unwrap_or(reason(status))
        .to_owned();
    let mut error = types::Error::new(kind, message);
    if let Some(code) = text(json, "code") {
        error = error.code(code);
    }
    error.resource = text(json, "resource").map(str::to_owned);
    let causes = json.get("causes").and_then(Value::as_array);
    error.causes = causes
        .into_iter()
        .flatten()
        .filter_map(|cause| cause.as_str().map(str::to_owned))
        .collect();
    error.retry_after = json.get("retry_after").and_then(duration);
    error.details = json.get("details").cloned().unwrap_or_default();
    error
}

/// Seconds as a number, or serde's form of a duration.
fn duration(value: &Value) -> Option<Duration> {
    match value.as_f64() {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => serde_json::from_value(value.clone()).ok(),
    }
}

/// `{"error": {"message": ..}}`, `{"message": ..}` and `{"itemNotFound": {"message": ..}}`.
fn envelope(status: u16, json: &Value) -> types::Error {
    let inner = json.as_object().and_then(|map| map.values().find(|v| v.is_object()));
    let message = text(json, "message")
        .or_else(|| inner.and_then(|inner| text(inner, "message")))
        .unwrap_or(reason(status));
    types::Error::new(kind_of(status), message)
}

/// HTML or text: its words.
fn plain(status: u16, body: &[u8]) -> types::Error {
    let body = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    let mut words = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                words.push(' ');
            }
            c if !inside => words.push(c),
            _ => {}
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = if words.is_empty() {
        reason(status).to_owned()
    } else {
        words
    };
    types::Error::new(kind_of(status), message)
}

fn reason(status: u16) -> &'static str {
    match status {
        401 => "the request needs a valid login",
        403 => "you may not do this",
        404 => "there is no such thing that you can see",
        409 => "this conflicts with how things are now",
        429 => "too many requests",
        500..=599 => "the service failed",
        _ => "the request was refused without saying why",
    }
}

pub(crate) fn kind_of(status: u16) -> Kind {
    match status {
        401 => Kind::Unauthenticated,
        403 => Kind::Denied,
        404 | 410 => Kind::NotFound,
        409 | 412 | 428 => Kind::Conflict,
        413 => Kind::Quota,
        429 => Kind::Throttled,
        408 | 504 => Kind::Timeout,
        501 => Kind::Unsupported,
        507 => Kind::Capacity,
        502 | 503 => Kind::Unavailable,
        400..=499 => Kind::Invalid,
        _ => Kind::Broken,
    }
}

impl ops::Deref for Error {
    type Target = types::Error;
    fn deref(&self) -> &types::Error {
        &self.0.error
    }
}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        Self(Box::new(Inner {
            error,
            status: None,
            request_id: None,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.error.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(status: u16, body: &str, expected: Expect) {
        let error = Error::answer(status, Some("req-header".into()), None, body.as_bytes());
        let line = format!(
            "{:?} {} | {} | after {:?} | {}",
            error.kind,
            error.code,
            error.chain(),
            error.retry_after,
            error.request_id().unwrap_or("-")
        );
        expected.assert_eq(&line);
    }

    #[test]
    fn each_service_s_way_of_failing_is_understood() {
        check(
            409,
            r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"server `web` is busy","code":"busy","kind":"conflict","causes":["held by task-1"],"request_id":"req-body","retry_after":3}"#,
            expect!["Conflict busy | server `web` is busy: held by task-1 | after Some(3s) | req-body"],
        );
        check(
            401,
            r#"{"error":{"code":401,"message":"wrong password","title":"Unauthorized"}}"#,
            expect!["Unauthenticated unauthenticated | wrong password | after None | req-header"],
        );
        check(
            404,
            "<html><body><h1>404 Not Found</h1>No image found<br></body></html>",
            expect!["NotFound not_found | 404 Not Found No image found | after None | req-header"],
        );
        check(
            503,
            "",
            expect!["Unavailable unavailable | the service failed | after None | req-header"],
        );
        check(
            418,
            r#"{"detail":"odd","kind":"from_the_future"}"#,
            expect!["Invalid invalid | odd | after None | req-header"],
        );
    }
}
