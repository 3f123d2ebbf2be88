//! A network on a bridge that the host has: guests sit on it, nothing is handed out there, and the bridge stays.

use contract::{
    Error, ExternalRef, Kind, Net, NetworkSpec,
    compute::{Nic, Sign, Stop},
    network::{Lease, Mode},
};

use crate::{
    lab::{Lab, call, done, token, until},
    life::{MAC, console_shows, machine, volume},
};

/// Linux takes dots in names of interfaces, and so do we.
const BRIDGE: &str = "br.office";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_sits_on_a_bridge_of_the_host() {
    let lab = Lab::open().await;
    make_bridge(&lab);
    let (networks, compute) = (lab.cloud.networks().unwrap(), lab.cloud.compute().unwrap());
    let (host, spec) = (lab.place(), office(BRIDGE));
    let net = done(networks.create(&call(), &spec, &host, &token("net-1")).await.unwrap());
    let again = networks.create(&call(), &spec, &host, &token("net-1")).await.unwrap();
    assert_eq!(done(again), net);
    let lease = Lease {
        mac: MAC.to_owned(),
        address: "192.0.2.23".to_owned(),
        hostname: "web".to_owned(),
    };
    networks.reserve(&call(), &net, &lease).await.unwrap();
    let seen = only(&lab).await;
    assert_eq!((seen.cidr.as_deref(), seen.leases), (Some("192.0.2.0/24"), Vec::new()));
    let (disk, server) = guest(&lab, &net).await;
    it_is_on_the_bridge(&lab, &server).await;
    let refused = networks.delete(&call(), &net).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.code.as_str()),
        (Kind::Conflict, "network_in_use")
    );

    done(compute.stop(&call(), &server, Stop::Hard).await.unwrap());
    lab.ip(&["link", "del", BRIDGE]);
    assert_missing(&lab, compute.start(&call(), &server).await.unwrap_err(), BRIDGE).await;
    make_bridge(&lab);
    done(compute.start(&call(), &server).await.unwrap());

    done(compute.delete(&call(), &server).await.unwrap());
    done(lab.cloud.disks().unwrap().delete(&call(), &disk).await.unwrap());
    networks.release(&call(), &net, &lease).await.unwrap();
    done(networks.delete(&call(), &net).await.unwrap());
    assert_eq!(
        lab.ip(&["-o", "link", "show", "master", BRIDGE]),
        "",
        "no card is left on it"
    );
    lab.ip(&["link", "del", BRIDGE]);
    let image = lab.image().await;
    lab.cloud.images().unwrap().delete(&call(), &image).await.unwrap();
    lab.assert_empty().await;
}

/// Neither a name that nothing has nor an interface that is no bridge will do; nothing is left of the attempt.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bridge_is_refused_in_a_sentence() {
    let lab = Lab::open().await;
    let networks = lab.cloud.networks().unwrap();
    for bridge in ["nobridge0", "lo", "..", "a/b"] {
        let refused = networks
            .create(&call(), &office(bridge), &lab.place(), &token("net-1"))
            .await;
        assert_missing(&lab, refused.unwrap_err(), bridge).await;
    }
    lab.assert_empty().await;
}

fn make_bridge(lab: &Lab) {
    lab.ip(&["link", "add", BRIDGE, "type", "bridge"]);
    lab.ip(&["addr", "add", "192.0.2.1/24", "dev", BRIDGE]);
    lab.ip(&["link", "set", BRIDGE, "up"]);
}

fn office(bridge: &str) -> NetworkSpec {
    NetworkSpec {
        name: "office".to_owned(),
        cidr: "192.0.2.0/24".to_owned(),
        gateway: "192.0.2.1".to_owned(),
        mode: Mode::Bridge {
            bridge: bridge.to_owned(),
        },
    }
}

async fn only(lab: &Lab) -> Net {
    let mut page = lab.cloud.networks().unwrap().list(&call(), None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    page.items.remove(0)
}

/// A server whose user-data gives it an address and asks the bridge's own for an answer.
async fn guest(lab: &Lab, net: &ExternalRef) -> (ExternalRef, ExternalRef) {
    let (disks, compute) = (lab.cloud.disks().unwrap(), lab.cloud.compute().unwrap());
    let root = volume(lab, "root", Some(&lab.image().await));
    let disk = done(disks.create(&call(), &root, &token("disk-1")).await.unwrap());
    let nic = Nic {
        network: net.clone(),
        mac: MAC.to_owned(),
        address: Some("192.0.2.23".to_owned()),
    };
    let mut spec = machine(lab, "web", &disk, vec![nic]);
    let script = "#!/bin/sh\nip addr add 192.0.2.23/24 dev $(ls /sys/class/net | grep ^e)\n\
                  ping -c 5 192.0.2.1 >/dev/null && echo reached the bridge\n";
    spec.seed.user_data = Some(script.to_owned());
    let server = done(compute.create(&call(), &spec, &token("srv-1")).await.unwrap());
    done(compute.start(&call(), &server).await.unwrap());
    (disk, server)
}

async fn it_is_on_the_bridge(lab: &Lab, server: &ExternalRef) {
    let described = lab.virsh(&["dumpxml", &lab.virsh(&["list", "--name"])]);
    assert!(described.contains(&format!("bridge='{BRIDGE}'")), "{described}");
    let cards = lab.ip(&["-o", "link", "show", "master", BRIDGE]);
    assert_eq!(cards.lines().count(), 1, "{cards}");
    console_shows(lab, server, "reached the bridge").await;
    until("the sign of life was seen", || async {
        let seen = lab.cloud.compute().unwrap().get(&call(), server).await.unwrap();
        (seen.sign == Some(Sign::Given)).then_some(())
    })
    .await;
}

async fn assert_missing(lab: &Lab, refused: Error, bridge: &str) {
    let host = lab.cloud.hosts().unwrap().get(&call(), &lab.host()).await.unwrap().name;
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Invalid, "no_bridge"));
    assert_eq!(
        refused.chain(),
        format!("host {host} has no bridge `{bridge}`: make it there first")
    );
}
