//! The cookie `isobar_session`: read, set, removed.

use axum::http::{HeaderMap, HeaderValue, header};
use chrono::{DateTime, Utc};
use types::{Error, Result};

const NAME: &str = "isobar_session";

/// The token in the cookie.
pub fn token(headers: &HeaderMap) -> Option<HeaderValue> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, token)| *name == NAME && !token.is_empty())
        .and_then(|(_, token)| token.parse().ok())
}

/// Makes a browser keep `token` until it ends.
pub fn keep(token: &str, expires_at: &str, https: bool) -> Result<HeaderValue> {
    let safe = |b: u8| b.is_ascii_graphic() && !b"\",;\\".contains(&b);
    let value = Some(token).filter(|token| token.bytes().all(safe));
    let life = DateTime::parse_from_rfc3339(expires_at)
        .map(|end| (end.to_utc() - Utc::now()).num_seconds().max(0))
        .map_err(|e| Error::broken("keystone says when a token ends in a way that cannot be read").because(e))?;
    value
        .and_then(|token| write(token, life, https))
        .ok_or_else(|| Error::broken("keystone's token does not fit into a cookie"))
}

/// Makes a browser forget the token.
pub fn drop(https: bool) -> HeaderValue {
    write("", 0, https).unwrap_or(HeaderValue::from_static(""))
}

fn write(token: &str, life: i64, https: bool) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{NAME}={token}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_other_cookies() {
        let check = |line: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(line));
            token(&headers).map(|token| token.to_str().unwrap_or_default().to_owned())
        };
        assert_eq!(check("a=1; isobar_session=x.y-z; b=2"), Some("x.y-z".to_owned()));
        assert_eq!(check("xisobar_session=1"), None);
        assert_eq!(check("isobar_session="), None);
    }

    #[test]
    fn only_https_makes_it_secure() {
        let end = (Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
        let cookie = |https| keep("t", &end, https).unwrap().to_str().unwrap().to_owned();
        assert!(cookie(true).ends_with("HttpOnly; SameSite=Strict; Secure"));
        assert!(!cookie(false).contains("Secure"));
        assert!(keep("a;b", &end, false).is_err());
    }
}
