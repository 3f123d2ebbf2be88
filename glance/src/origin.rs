//! The URL under which a client reached us, for the few answers that must be absolute.

use axum::http::{HeaderMap, Uri, header};

use crate::State;

/// `path` of ours as a URL: below the configured public URL, else below what the request itself says.
pub fn url(state: &State, headers: &HeaderMap, original: &Uri, path: &str) -> String {
    if let Some(public) = &state.options.public_url {
        return format!("{}{path}", public.trim_end_matches('/'));
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("x-forwarded-host").or(text(header::HOST.as_str()));
    let prefix = prefix(original.path());
    match host {
        Some(host) => {
            let scheme = text("x-forwarded-proto").unwrap_or("http");
            format!("{scheme}://{host}{prefix}{path}")
        }
        None => format!("{prefix}{path}"),
    }
}

/// Where we are mounted: what stands before the first part that is ours.
fn prefix(path: &str) -> &str {
    let ours = path.find("/v2").or(path.find("/versions")).unwrap_or(path.len());
    path[..ours].trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_point_is_what_stands_before_us() {
        for (path, mount) in [
            ("/image/v2/images", "/image"),
            ("/image/", "/image"),
            ("/image", "/image"),
            ("/v2/images", ""),
            ("/", ""),
            ("/a/image/versions", "/a/image"),
        ] {
            assert_eq!(prefix(path), mount, "{path}");
        }
    }
}
