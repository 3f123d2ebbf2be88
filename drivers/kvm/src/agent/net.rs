//! A network as libvirt's XML: written from a spec, read back with its reservations. Pure.

use contract::{
    Error, NetworkSpec, Result,
    network::{Lease, Mode},
};
use ipnet::Ipv4Net;

use crate::agent::xml::{self, Mark, child, escape};

/// The XML of a new network. `short` makes the names of bridge and network unique on the host.
pub fn write(spec: &NetworkSpec, mark: &Mark, uuid: &str, short: &str) -> Result<String> {
    let rest = match &spec.mode {
        Mode::Bridge { bridge } => format!("<forward mode='bridge'/><bridge name='{}'/>", escape(bridge)),
        Mode::Nat => nat(spec, short)?,
    };
    Ok(format!(
        "<network><name>{}</name><uuid>{uuid}</uuid>{}{rest}</network>",
        name(short),
        mark.write(&[("cidr".to_owned(), spec.cidr.clone())])
    ))
}

pub fn name(short: &str) -> String {
    format!("isobar-{short}")
}

fn nat(spec: &NetworkSpec, short: &str) -> Result<String> {
    let wrong = |what: &str, text: &str| Error::invalid(format!("`{text}` is not an IPv4 {what} that NAT can use"));
    let cidr: Ipv4Net = spec.cidr.parse().map_err(|_| wrong("network", &spec.cidr))?;
    let gateway: std::net::Ipv4Addr = spec.gateway.parse().map_err(|_| wrong("gateway", &spec.gateway))?;
    if cidr.prefix_len() > 30 || !cidr.contains(&gateway) || gateway == cidr.network() || gateway == cidr.broadcast() {
        return Err(Error::invalid(format!(
            "the gateway {gateway} is not a usable address of {cidr}"
        )));
    }
    // 15 characters is what Linux allows. No range: only cards with a reservation get an address.
    Ok(format!(
        "<forward mode='nat'/><bridge name='ib{short}' stp='on' delay='0'/>\
         <ip address='{gateway}' prefix='{}'><dhcp></dhcp></ip>",
        cidr.prefix_len()
    ))
}

/// One reservation, as `Network::update` takes it.
pub fn host(lease: &Lease, taken: &[Lease]) -> String {
    // libvirt refuses a second card with a name; the name only helps, the address matters.
    let named = is_label(&lease.hostname) && taken.iter().all(|t| t.hostname != lease.hostname);
    let name = if named {
        format!(" name='{}'", lease.hostname)
    } else {
        String::new()
    };
    format!(
        "<host mac='{}'{name} ip='{}'/>",
        escape(&lease.mac),
        escape(&lease.address)
    )
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// What the network says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub mark: Mark,
    pub name: String,
    /// The host's own, when it is on one.
    pub bridge: Option<String>,
    pub cidr: Option<String>,
    pub leases: Vec<Lease>,
}

/// `None` when it is not ours.
pub fn read(text: &str) -> Result<Option<Read>> {
    let document = xml::parse(text)?;
    let root = document.root_element();
    let Some(mark) = Mark::read(root) else {
        return Ok(None);
    };
    let tags = root.descendants().filter(|n| n.has_tag_name((xml::NAMESPACE, "tag")));
    let hosts = child(root, "ip")
        .and_then(|ip| child(ip, "dhcp"))
        .into_iter()
        .flat_map(|d| d.children());
    Ok(Some(Read {
        mark,
        name: xml::text(root, "name").unwrap_or_default().to_owned(),
        bridge: xml::attribute(root, &["bridge"], "name")
            .filter(|_| xml::attribute(root, &["forward"], "mode") == Some("bridge"))
            .map(str::to_owned),
        cidr: tags
            .filter(|tag| tag.attribute("key") == Some("cidr"))
            .find_map(|tag| tag.attribute("value").map(str::to_owned)),
        leases: hosts
            .filter(|node| node.has_tag_name("host"))
            .filter_map(|node| {
                Some(Lease {
                    mac: node.attribute("mac")?.to_ascii_lowercase(),
                    address: node.attribute("ip")?.to_owned(),
                    hostname: node.attribute("name").unwrap_or_default().to_owned(),
                })
            })
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn spec(cidr: &str, gateway: &str) -> NetworkSpec {
        NetworkSpec {
            name: "front".to_owned(),
            cidr: cidr.to_owned(),
            gateway: gateway.to_owned(),
            mode: Mode::Nat,
        }
    }

    fn mark() -> Mark {
        Mark {
            host: "host-1".to_owned(),
            token: "t-1".to_owned(),
            name: "front".to_owned(),
        }
    }

    #[test]
    fn a_nat_network_and_back() {
        let text = write(&spec("10.9.0.0/24", "10.9.0.1"), &mark(), "u", "0123456789ab").unwrap();
        expect![[r#"
            <network>
            <name>isobar-0123456789ab</name>
            <uuid>u</uuid>
            <metadata>
            <isobar:made xmlns:isobar='urn:isobar:host:1' host='host-1' token='t-1' name='front'>
            <isobar:tag key='cidr' value='10.9.0.0/24'/>
            </isobar:made>
            </metadata>
            <forward mode='nat'/>
            <bridge name='ib0123456789ab' stp='on' delay='0'/>
            <ip address='10.9.0.1' prefix='24'>
            <dhcp>
            </dhcp>
            </ip>
            </network>
        "#]]
        .assert_eq(&(text.replace("><", ">\n<") + "\n"));
        let with = text.replace("<dhcp>", "<dhcp><host mac='52:54:00:AA:00:01' ip='10.9.0.5' name='a'/>");
        let read = read(&with).unwrap().unwrap();
        assert_eq!((read.cidr.as_deref(), read.bridge), (Some("10.9.0.0/24"), None));
        assert_eq!(
            (read.leases[0].mac.as_str(), read.leases[0].address.as_str()),
            ("52:54:00:aa:00:01", "10.9.0.5")
        );
    }

    #[test]
    fn a_gateway_outside_is_refused() {
        for (cidr, gateway) in [
            ("10.0.0.0/24", "10.0.1.1"),
            ("10.0.0.0/24", "10.0.0.0"),
            ("10.0.0.0/31", "10.0.0.1"),
            ("x", "y"),
        ] {
            assert!(
                write(&spec(cidr, gateway), &mark(), "u", "s").is_err(),
                "{cidr} {gateway}"
            );
        }
    }

    #[test]
    fn a_name_that_is_taken_or_odd_is_left_out() {
        let lease = |hostname: &str| Lease {
            mac: "52:54:00:00:00:01".to_owned(),
            address: "10.9.0.5".to_owned(),
            hostname: hostname.to_owned(),
        };
        assert!(host(&lease("web"), &[]).contains("name='web'"));
        assert!(!host(&lease("web"), &[lease("web")]).contains("name"));
        assert!(!host(&lease("a b"), &[]).contains("name"));
    }
}
