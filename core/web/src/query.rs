//! Query strings: list parameters and filters, and the few words mutations understand. What is not known is refused.

use std::time::Duration;

use axum::{extract::FromRequestParts, http::request::Parts};
use store::{Filter, Op, Query};
use types::{Error, Result};

use crate::Problem;

/// What the caller of a list wrote.
#[derive(Debug, Default)]
pub struct Listing {
    pub query: Query,
    /// Only these top-level fields of each item.
    pub fields: Vec<String>,
}

/// What the caller of a mutation wrote.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Answer when the task is over, or after this long.
    pub wait: Option<Duration>,
    /// Say what would happen, and change nothing.
    pub dry_run: bool,
}

/// The longest `wait`.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// `key=value` pairs, percent-decoded.
pub fn pairs(raw: Option<&str>) -> Vec<(String, String)> {
    form_urlencoded::parse(raw.unwrap_or_default().as_bytes())
        .into_owned()
        .collect()
}

impl Listing {
    pub fn parse(raw: Option<&str>) -> Result<Self> {
        let mut listing = Self::default();
        for (key, value) in pairs(raw) {
            let query = &mut listing.query;
            match key.as_str() {
                "limit" => {
                    let limit = value
                        .parse()
                        .map_err(|_| Error::invalid(format!("limit is `{value}`; it must be a number")))?;
                    query.limit = Some(limit);
                }
                "after" => query.after = Some(value),
                "sort" => query.sort = Some(value),
                "everywhere" => query.everywhere = flag("everywhere", &value)?,
                "fields" => listing.fields = value.split(',').map(str::to_owned).collect(),
                _ => query.filters.push(filter(&key, &value)?),
            }
        }
        Ok(listing)
    }
}

impl Wishes {
    pub fn parse(raw: Option<&str>) -> Result<Self> {
        let mut wishes = Self::default();
        for (key, value) in pairs(raw) {
            match key.as_str() {
                "wait" => wishes.wait = Some(duration(&value)?),
                "dry_run" => wishes.dry_run = flag("dry_run", &value)?,
                _ => return Err(unknown(&key)),
            }
        }
        Ok(wishes)
    }
}

/// For routes that take no parameters: the query string was empty.
pub struct Plain;

impl<S: Send + Sync> FromRequestParts<S> for Plain {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match pairs(parts.uri.query()).into_iter().next() {
            Some((key, _)) => Err(unknown(&key).into()),
            None => Ok(Self),
        }
    }
}

pub fn unknown(key: &str) -> Error {
    Error::invalid(format!("there is no parameter `{key}` here")).code("unknown_parameter")
}

fn filter(key: &str, value: &str) -> Result<Filter> {
    let (column, suffix) = key.split_once('.').unwrap_or((key, ""));
    let op = Op::parse(suffix).ok_or_else(|| unknown(key))?;
    let values = match op {
        Op::Eq => value.split(',').map(str::to_owned).collect(),
        _ => vec![value.to_owned()],
    };
    Ok(Filter {
        column: column.to_owned(),
        op,
        values,
    })
}

pub fn flag(name: &str, value: &str) -> Result<bool> {
    match value {
        "true" | "1" | "" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::invalid(format!("{name} is true or false, not `{value}`"))),
    }
}

/// `30s`, `2m`, or seconds; held at [`LONGEST_WAIT`].
pub fn duration(text: &str) -> Result<Duration> {
    let (number, unit) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| Error::invalid(format!("`{text}` is not a time: write for example 30s")))?;
    Ok(Duration::from_secs(number.saturating_mul(unit)).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused() {
        assert_eq!(
            Wishes::parse(Some("wiat=3")).unwrap_err().message,
            "there is no parameter `wiat` here"
        );
        assert!(Listing::parse(Some("name.like=x")).is_err());
        assert!(Listing::parse(Some("limit=many")).is_err());
    }

    #[test]
    fn filters_and_waits_are_read() {
        let listing = Listing::parse(Some("state=running,stopped&name.contains=web&limit=5&sort=-name")).unwrap();
        assert_eq!(listing.query.filters.len(), 2);
        assert_eq!(listing.query.filters[0].values, ["running", "stopped"]);
        assert_eq!(Wishes::parse(Some("wait=2m")).unwrap().wait, Some(LONGEST_WAIT));
    }
}
