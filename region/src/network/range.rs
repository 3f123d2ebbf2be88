//! The arithmetic of one IPv4 range: which addresses can be handed out.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use types::{Error, Result};

/// A network's addresses as numbers. The network, broadcast and gateway addresses are not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    net: Ipv4Net,
    gateway: Ipv4Addr,
}

impl Range {
    /// Errors name what is wrong with the range or the gateway.
    pub fn parse(cidr: &str, gateway: Option<&str>) -> Result<Self> {
        let wrong = |why: &str| Error::invalid(format!("`{cidr}` cannot be a network: {why}")).code("bad_cidr");
        let net: Ipv4Net = cidr
            .parse()
            .map_err(|_| wrong("write an IPv4 range such as 10.0.0.0/24"))?;
        if !(8..=29).contains(&net.prefix_len()) {
            return Err(wrong("its prefix must be from /8 to /29"));
        }
        if net.network() != net.addr() {
            return Err(wrong(&format!("the range that contains it is {}", net.trunc())));
        }
        let reserved = net.addr().is_loopback()
            || net.addr().is_multicast()
            || net.addr().is_link_local()
            || net.addr().octets()[0] == 0;
        if reserved {
            return Err(wrong("it is reserved for other uses"));
        }
        let gateway = match gateway {
            None => Ipv4Addr::from(u32::from(net.network()) + 1),
            Some(text) => text
                .parse()
                .map_err(|_| Error::invalid(format!("`{text}` is not an IPv4 address")))?,
        };
        if !net.contains(&gateway) || gateway == net.network() || gateway == net.broadcast() {
            return Err(Error::invalid(format!(
                "the gateway {gateway} is not an address that {net} can have"
            )));
        }
        Ok(Self { net, gateway })
    }

    pub fn cidr(&self) -> String {
        self.net.to_string()
    }

    pub fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }

    /// How many can be handed out.
    pub fn total(&self) -> i64 {
        self.last() - self.first()
    }

    pub fn first(&self) -> i64 {
        i64::from(u32::from(self.net.network())) + 1
    }

    pub fn last(&self) -> i64 {
        i64::from(u32::from(self.net.broadcast())) - 1
    }

    pub fn number(address: Ipv4Addr) -> i64 {
        i64::from(u32::from(address))
    }

    pub fn address(number: i64) -> Ipv4Addr {
        Ipv4Addr::from(u32::try_from(number).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_can_be_handed_out() {
        let range = Range::parse("10.0.0.0/29", None).unwrap();
        assert_eq!(range.gateway().to_string(), "10.0.0.1");
        assert_eq!(range.total(), 5);
        assert_eq!(Range::address(range.last()).to_string(), "10.0.0.6");
    }

    #[test]
    fn refuses_with_the_reason() {
        for (cidr, gateway, why) in [
            ("10.0.0.5/24", None, "the range that contains it is 10.0.0.0/24"),
            ("10.0.0.0/30", None, "its prefix must be from /8 to /29"),
            ("127.0.0.0/8", None, "it is reserved"),
            ("banana", None, "write an IPv4 range"),
            (
                "10.0.0.0/24",
                Some("10.0.1.1"),
                "is not an address that 10.0.0.0/24 can have",
            ),
        ] {
            let error = Range::parse(cidr, gateway).unwrap_err();
            assert!(error.message.contains(why), "{}", error.message);
        }
    }
}
