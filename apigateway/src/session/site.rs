//! Whether a request was made by a page of this origin, by what its browser says.

use axum::http::{HeaderMap, HeaderValue, header};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    Same,
    Other,
    /// Not said: not a browser of this decade.
    Unknown,
}

/// `Sec-Fetch-Site` decides when it is there; `Origin` is for browsers that do not send it, as over plain http.
pub fn of(headers: &HeaderMap, host: Option<&HeaderValue>) -> Site {
    if let Some(site) = headers.get("sec-fetch-site") {
        return if site == "same-origin" || site == "none" {
            Site::Same
        } else {
            Site::Other
        };
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Site::Unknown;
    };
    let name = origin
        .to_str()
        .ok()
        .and_then(|origin| Some(origin.split_once("://")?.1));
    let host = host.and_then(|host| host.to_str().ok());
    match (name, host) {
        (Some(name), Some(host)) if name.eq_ignore_ascii_case(host) => Site::Same,
        _ => Site::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_say_where_a_request_comes_from() {
        let check = |said: &[(&'static str, &'static str)]| {
            let pairs = said.iter().map(|(name, value)| {
                (
                    axum::http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            of(&pairs.collect(), Some(&HeaderValue::from_static("cloud.example:8443")))
        };
        assert_eq!(check(&[("sec-fetch-site", "same-origin")]), Site::Same);
        assert_eq!(check(&[("sec-fetch-site", "none")]), Site::Same);
        assert_eq!(check(&[("sec-fetch-site", "same-site")]), Site::Other);
        assert_eq!(
            check(&[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://cloud.example:8443")
            ]),
            Site::Other
        );
        assert_eq!(check(&[("origin", "https://cloud.example:8443")]), Site::Same);
        assert_eq!(check(&[("origin", "https://cloud.example")]), Site::Other);
        assert_eq!(check(&[("origin", "null")]), Site::Other);
        assert_eq!(check(&[]), Site::Unknown);
    }
}
