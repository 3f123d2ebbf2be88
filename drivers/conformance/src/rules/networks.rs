//! Networks and reservations.

use contract::{ExternalRef, Kind, Net, Networks, compute::Nic, network::Lease};

use crate::{Lab, Verdict, ensure, lab::refused};

pub async fn r17_a_network_in_use_stays(lab: &Lab) -> Verdict {
    let Some(networks) = lab.networks()? else { return Ok(()) };
    let Some(spec) = lab.network_spec() else { return Ok(()) };
    let call = &lab.call();
    let made = networks.create(call, &spec, &lab.place, &lab.token()).await;
    let network = lab.keep_network(lab.id(made).await?);
    let shown = shown(lab, networks, &network).await?;
    let range = shown.as_ref().and_then(|net| net.cidr.clone());
    ensure!(
        range.as_ref() == Some(&spec.cidr),
        "network {} shows {shown:?}",
        spec.name
    );
    if let Some(compute) = lab.compute()? {
        let nic = Nic {
            network: network.clone(),
            mac: mac(),
            address: None,
        };
        let disks = lab.boot_disks().await?;
        let machine = lab.machine_with(compute, disks, vec![nic]).await?;
        let answer = lab.done(networks.delete(call, &network).await).await;
        refused(answer, Kind::Conflict, "delete of a network in use")?;
        lab.done(compute.delete(call, &machine).await).await?;
    }
    for _ in 0..2 {
        lab.done(networks.delete(call, &network).await).await?;
    }
    let left = self::shown(lab, networks, &network).await?;
    ensure!(left.is_none(), "a deleted network is listed: {left:?}");
    Ok(())
}

pub async fn r18_reserve_and_release_repeat(lab: &Lab) -> Verdict {
    let Some(networks) = lab.networks()? else { return Ok(()) };
    let Some(spec) = lab.network_spec() else { return Ok(()) };
    let call = &lab.call();
    let made = networks.create(call, &spec, &lab.place, &lab.token()).await;
    let network = lab.keep_network(lab.id(made).await?);
    let lease = Lease {
        mac: mac(),
        address: spec.cidr.replace(".0/24", ".77"),
        hostname: lab.name(),
    };
    for _ in 0..2 {
        networks.reserve(call, &network, &lease).await?;
        let leases = shown(lab, networks, &network)
            .await?
            .map(|net| net.leases)
            .unwrap_or_default();
        let ours = leases
            .iter()
            .filter(|l| l.mac == lease.mac && l.address == lease.address)
            .count();
        ensure!(ours == 1, "reserved {lease:?} once, listed are {leases:?}");
    }
    for _ in 0..2 {
        networks.release(call, &network, &lease).await?;
        let leases = shown(lab, networks, &network)
            .await?
            .map(|net| net.leases)
            .unwrap_or_default();
        ensure!(
            !leases.iter().any(|l| l.mac == lease.mac),
            "released {lease:?}, listed are {leases:?}"
        );
    }
    networks.release(call, &lab.nowhere(), &lease).await?;
    Ok(())
}

async fn shown(lab: &Lab, networks: &dyn Networks, network: &ExternalRef) -> Verdict<Option<Net>> {
    let mut from = None;
    loop {
        let page = networks.list(&lab.call(), from).await?;
        if let Some(net) = page.items.into_iter().find(|net| net.id == *network) {
            return Ok(Some(net));
        }
        from = page.next;
        if from.is_none() {
            return Ok(None);
        }
    }
}

pub fn mac() -> String {
    let [_, a, b, c] = rand::random::<u32>().to_be_bytes();
    format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
}
