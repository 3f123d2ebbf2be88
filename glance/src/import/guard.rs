//! Which addresses an import may read from. A URL comes from a user; our network must not be read through it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use types::{Error, Result};

use crate::Options;

/// A URL whose host was looked up, with the addresses that may be connected to and no others.
#[derive(Debug)]
pub struct Target {
    pub url: Url,
    pub host: String,
    pub addresses: Vec<SocketAddr>,
}

/// Looks the host up and refuses it if any of its addresses is inside.
pub async fn check(options: &Options, text: &str) -> Result<Target> {
    let wrong = |why: &str| Error::invalid(format!("`{text}` cannot be imported from: {why}")).code("bad_url");
    let url = Url::parse(text).map_err(|e| wrong(&e.to_string()))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(wrong("write an http:// or https:// URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("leave user and password out"));
    }
    let host = url.host_str().ok_or_else(|| wrong("it names no host"))?.to_owned();
    let port = url.port_or_known_default().ok_or_else(|| wrong("it names no port"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found = tokio::net::lookup_host((bare.as_str(), port)).await;
    let addresses: Vec<_> = found.map_err(|e| wrong("its host is not known").because(e))?.collect();
    if addresses.is_empty() {
        return Err(wrong("its host has no address"));
    }
    if addresses.iter().any(|address| !may_reach(options, address.ip())) {
        return Err(wrong(
            "its host is inside this installation's networks; an operator can allow it",
        ));
    }
    Ok(Target {
        url,
        host: bare,
        addresses,
    })
}

fn may_reach(options: &Options, address: IpAddr) -> bool {
    is_outside(address) || options.import_allow.iter().any(|net| net.contains(&address))
}

/// Whether an address is on the public internet, as far as its number tells.
fn is_outside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4_is_outside(v4),
        IpAddr::V6(v6) => v6_is_outside(v6),
    }
}

fn v4_is_outside(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let inside = v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_broadcast()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b));
    !inside
}

/// Global unicast is 2000::/3; what carries an IPv4 address inside is judged by that.
fn v6_is_outside(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let embedded = |high: u16, low: u16| v4_is_outside(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    if let Some(v4) = v6.to_ipv4_mapped() {
        return v4_is_outside(v4);
    }
    match s {
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, ORCHID, benchmarking and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inside_and_outside_are_told_apart() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.192",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "::7f00:1",
        ] {
            assert!(!is_outside(inside.parse().unwrap()), "{inside}");
        }
        for outside in [
            "1.1.1.1",
            "151.101.2.132",
            "2606:4700::1111",
            "64:ff9b::101:101",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_outside(outside.parse().unwrap()), "{outside}");
        }
    }

    #[tokio::test]
    async fn odd_urls_are_refused_in_one_sentence() {
        let options = Options::default();
        for (url, why) in [
            ("file:///etc/passwd", "write an http:// or https:// URL"),
            ("http://user:x@1.1.1.1/", "leave user and password out"),
            ("http://2130706433/", "inside this installation's networks"),
            ("http://0x7f.1/", "inside this installation's networks"),
            ("http://[::1]/", "inside this installation's networks"),
            ("http://localhost:1/", "inside this installation's networks"),
            ("nonsense", "relative URL without a base"),
        ] {
            let error = check(&options, url).await.unwrap_err();
            assert!(error.message.contains(why), "{url}: {}", error.message);
        }
    }

    #[tokio::test]
    async fn an_operator_can_allow_a_network() {
        let import_allow = vec!["127.0.0.0/8".parse().unwrap()];
        let options = Options {
            import_allow,
            ..Options::default()
        };
        let target = check(&options, "http://127.0.0.1:81/x").await.unwrap();
        assert_eq!(target.addresses, ["127.0.0.1:81".parse().unwrap()]);
    }
}
