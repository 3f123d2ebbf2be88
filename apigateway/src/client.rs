//! Who is at the other end of a connection, and how they reached us.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderValue, header},
};

use crate::Options;

pub const FORWARDED_FOR: &str = "x-forwarded-for";
pub const FORWARDED_HOST: &str = "x-forwarded-host";
pub const FORWARDED_PROTO: &str = "x-forwarded-proto";

/// How clients reach this gateway.
pub struct Reached {
    https: bool,
    by_proxy: bool,
}

impl Reached {
    pub fn new(options: &Options) -> Self {
        Self {
            https: options.secure_cookies,
            by_proxy: options.trust_forwarded,
        }
    }
}

/// The other end of one request.
#[derive(Clone, Debug)]
pub struct Client {
    pub address: IpAddr,
    /// The host, and port, as the client wrote it.
    pub host: Option<HeaderValue>,
    pub https: bool,
    /// What a service reads in `X-Forwarded-For`.
    pub path: String,
}

impl Client {
    pub fn of(request: &Request, reached: &Reached) -> Self {
        let headers = request.headers();
        let socket = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = socket.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |socket| socket.0.ip());
        // HTTP/2 carries the host in the request's target.
        let target = request.uri().authority().and_then(|name| name.as_str().parse().ok());
        let host = target.or_else(|| headers.get(header::HOST).cloned());
        let direct = Self {
            address: peer,
            host,
            https: reached.https,
            path: peer.to_string(),
        };
        if reached.by_proxy {
            direct.behind_proxy(headers)
        } else {
            direct
        }
    }

    fn behind_proxy(self, headers: &HeaderMap) -> Self {
        let all: Vec<_> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        // The proxy appends the address it saw; what stands before was said by the client.
        let nearest = all.last().and_then(|line| line.rsplit(',').next()?.trim().parse().ok());
        let path = all
            .iter()
            .copied()
            .chain([self.path.as_str()])
            .collect::<Vec<_>>()
            .join(", ");
        Self {
            address: nearest.unwrap_or(self.address),
            host: headers.get(FORWARDED_HOST).cloned().or(self.host),
            https: self.https || headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "https"),
            path,
        }
    }

    pub const fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// What limits are counted by. Whoever has one IPv6 address has 2^64 of them.
    pub fn party(&self) -> IpAddr {
        match self.address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn client(by_proxy: bool, headers: &[(&str, &str)]) -> Client {
        let mut request = Request::builder().uri("/").header("host", "a.example:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer: SocketAddr = "192.0.2.1:999".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        Client::of(&request, &Reached { https: false, by_proxy })
    }

    #[test]
    fn forwarded_headers_count_only_behind_a_proxy_of_ours() {
        let said = [
            (FORWARDED_FOR, "10.9.9.9, 203.0.113.7"),
            (FORWARDED_HOST, "cloud.example"),
            (FORWARDED_PROTO, "https"),
        ];
        let stranger = client(false, &said);
        assert_eq!(
            (stranger.address.to_string(), stranger.scheme()),
            ("192.0.2.1".into(), "http")
        );
        assert_eq!(stranger.host.unwrap(), "a.example:8080");
        assert_eq!(stranger.path, "192.0.2.1");
        let known = client(true, &said);
        assert_eq!(
            (known.address.to_string(), known.scheme()),
            ("203.0.113.7".into(), "https")
        );
        assert_eq!(known.host.unwrap(), "cloud.example");
        assert_eq!(known.path, "10.9.9.9, 203.0.113.7, 192.0.2.1");
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_party() {
        let party = |address: &str| client(true, &[(FORWARDED_FOR, address)]).party();
        assert_eq!(party("2001:db8::1"), party("2001:db8::ffff:2"));
        assert_ne!(party("2001:db8::1"), party("2001:db8:0:1::1"));
        assert_eq!(party("::ffff:192.0.2.9"), party("192.0.2.9"));
    }
}
