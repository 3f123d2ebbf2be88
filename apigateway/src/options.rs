//! What a gateway is made of, and its numbers.

use std::time::Duration;

use axum::Router;
use utoipa::openapi::OpenApi;
use web::health::Check;

/// Where a service is.
#[derive(Clone)]
pub enum Upstream {
    /// In this process. It must answer the full paths: the gateway takes nothing off.
    Local(Router),
    /// Other processes that serve the same, by their origins: `http://10.0.0.5:5000`. One that accepts no connection is
    /// passed over for the next; the one that answered last is asked first.
    Http(Vec<String>),
}

impl Default for Upstream {
    /// A service without paths.
    fn default() -> Self {
        Self::Local(Router::new())
    }
}

/// Everything [`crate::app`] needs.
#[derive(Default)]
pub struct Options {
    /// `/identity` and below.
    pub identity: Upstream,
    /// `/image` and below.
    pub image: Upstream,
    /// `/placement` and below.
    pub placement: Upstream,
    /// Every other path that is not the gateway's own.
    pub region: Upstream,
    /// Served as `/openapi/<name>.json`, the first also as `/openapi.json`.
    pub documents: Vec<(&'static str, OpenApi)>,
    /// What `/readyz` answers from, and the status page shows. Services in other processes need none: the page asks each,
    /// and a gateway stays ready when one of them is not.
    pub checks: Vec<Check>,
    pub rate: Rate,
    pub limits: Limits,
    /// The installation is reached by https alone: session cookies are always `Secure`, links are written with https.
    pub secure_cookies: bool,
    /// A proxy of ours stands in front and sets `X-Forwarded-For`, `-Host` and `-Proto`. Without one these are the words
    /// of strangers and are replaced.
    pub trust_forwarded: bool,
}

/// How many requests one client address may send; an IPv6 client is its /64.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// `POST /session` and `POST /identity/v3/auth/tokens`. Default: 20 a second, 60 at once.
    pub logins: Pace,
    /// Everything else. Default: 2000 a second, 4000 at once.
    pub requests: Pace,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            logins: Pace {
                per_second: 20,
                burst: 60,
            },
            requests: Pace {
                per_second: 2000,
                burst: 4000,
            },
        }
    }
}

/// A steady rate and what may come at once on top of it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// 0: not limited.
    pub per_second: u32,
    pub burst: u32,
}

/// How much and how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in the body of a request that is not an image upload. Default: 8 MiB.
    pub body: u64,
    /// Until a service begins to answer. Uploads and requests with `wait` are not held to it, and an answer that has
    /// begun, like an event stream, may last for ever. Default: 60 s.
    pub patience: Duration,
    /// Until one replica of a service in another process accepts a connection. Default: 2 s.
    pub connect: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 << 20,
            patience: Duration::from_secs(60),
            connect: Duration::from_secs(2),
        }
    }
}
