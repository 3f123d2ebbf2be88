//! A server from its first disk to its last trace, with a guest that boots.

use std::time::Duration;

use contract::{
    ExternalRef, Kind, MachineSpec, NetworkSpec, VolumeSpec,
    compute::{Nic, Seed, Shape, Stop},
    network::{Lease, Mode},
};
use types::{Size, states::Power};

use crate::lab::{Lab, call, done, token, until};

pub const MAC: &str = "52:54:00:0a:0b:0c";

pub fn volume(lab: &Lab, name: &str, image: Option<&ExternalRef>) -> VolumeSpec {
    VolumeSpec {
        name: name.to_owned(),
        place: lab.place(),
        size: Size::mib(200),
        image: image.cloned(),
    }
}

pub fn machine(lab: &Lab, name: &str, disk: &ExternalRef, nics: Vec<Nic>) -> MachineSpec {
    MachineSpec {
        name: name.to_owned(),
        place: lab.place(),
        shape: Shape {
            vcpus: 1,
            memory: Size::mib(256),
        },
        disks: vec![disk.clone()],
        nics,
        seed: Seed {
            instance_id: name.to_owned(),
            hostname: name.to_owned(),
            user_data: Some("#!/bin/sh\necho script says $((6*7))\n".to_owned()),
            ..Seed::default()
        },
        tags: Vec::new(),
    }
}

pub async fn network(lab: &Lab) -> (ExternalRef, Lease) {
    let spec = NetworkSpec {
        name: "front".to_owned(),
        cidr: "10.77.0.0/24".to_owned(),
        gateway: "10.77.0.1".to_owned(),
        mode: Mode::Nat,
    };
    let networks = lab.cloud.networks().unwrap();
    let id = done(
        networks
            .create(&call(), &spec, &lab.place(), &token("net-1"))
            .await
            .unwrap(),
    );
    let lease = Lease {
        mac: MAC.to_owned(),
        address: "10.77.0.23".to_owned(),
        hostname: "web".to_owned(),
    };
    networks.reserve(&call(), &id, &lease).await.unwrap();
    (id, lease)
}

pub async fn console_shows(lab: &Lab, server: &ExternalRef, line: &str) {
    let compute = lab.cloud.compute().unwrap();
    until(&format!("the console showed `{line}`"), || async {
        let log = compute.console_log(&call(), server, 1 << 16).await.unwrap();
        log.contains(line).then_some(())
    })
    .await;
}

async fn becomes(lab: &Lab, server: &ExternalRef, power: Power) {
    let compute = lab.cloud.compute().unwrap();
    until(&format!("the server was {power}"), || async {
        let seen = compute.get(&call(), server).await.unwrap().power;
        (seen == power).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_lives_and_leaves_nothing_behind() {
    let mut lab = Lab::open().await;
    let (net, lease) = network(&lab).await;
    let image = lab.image().await;
    let (disk, server) = boots(&lab, &net, &image).await;
    disks_come_and_go_while_it_runs(&lab, &server).await;
    it_survives_the_agent(&mut lab, &server).await;
    it_survives_libvirtd(&lab, &server).await;
    it_stops_when_asked(&lab, &server).await;
    it_goes_back_in_time(&lab, &server, &disk).await;
    what_happens_behind_our_back_is_told(&lab, &server).await;
    let cloud = &lab.cloud;
    done(cloud.compute().unwrap().delete(&call(), &server).await.unwrap());
    let refused = cloud.images().unwrap().delete(&call(), &image).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Conflict, "image_in_use"));
    done(cloud.disks().unwrap().delete(&call(), &disk).await.unwrap());
    cloud.networks().unwrap().release(&call(), &net, &lease).await.unwrap();
    done(cloud.networks().unwrap().delete(&call(), &net).await.unwrap());
    cloud.images().unwrap().delete(&call(), &image).await.unwrap();
    lab.assert_empty().await;
}

async fn boots(lab: &Lab, net: &ExternalRef, image: &ExternalRef) -> (ExternalRef, ExternalRef) {
    let (disks, compute) = (lab.cloud.disks().unwrap(), lab.cloud.compute().unwrap());
    let disk = done(
        disks
            .create(&call(), &volume(lab, "root", Some(image)), &token("disk-1"))
            .await
            .unwrap(),
    );
    let nic = Nic {
        network: net.clone(),
        mac: MAC.to_owned(),
        address: Some("10.77.0.23".to_owned()),
    };
    let spec = machine(lab, "web", &disk, vec![nic]);
    let server = done(compute.create(&call(), &spec, &token("srv-1")).await.unwrap());
    done(compute.start(&call(), &server).await.unwrap());
    for line in [
        "hello from web",
        "address 10.77.0.23",
        "disk vda 209715200",
        "script says 42",
        "ready",
    ] {
        console_shows(lab, &server, line).await;
    }
    let seen = compute.get(&call(), &server).await.unwrap();
    assert_eq!((seen.power, seen.addresses), (Power::On, vec!["10.77.0.23".to_owned()]));
    assert_eq!(seen.disks, std::slice::from_ref(&disk));
    (disk, server)
}

async fn disks_come_and_go_while_it_runs(lab: &Lab, server: &ExternalRef) {
    let (disks, compute) = (lab.cloud.disks().unwrap(), lab.cloud.compute().unwrap());
    let extra = done(
        disks
            .create(&call(), &volume(lab, "data", None), &token("disk-2"))
            .await
            .unwrap(),
    );
    done(compute.attach(&call(), server, &extra).await.unwrap());
    let name = lab.virsh(&["list", "--name"]);
    assert!(
        lab.virsh(&["domblklist", &name]).contains("vdb"),
        "{}",
        lab.virsh(&["domblklist", &name])
    );
    done(disks.resize(&call(), &extra, Size::mib(300)).await.unwrap());
    assert_eq!(disks.get(&call(), &extra).await.unwrap().size, Size::mib(300));
    done(compute.detach(&call(), server, &extra).await.unwrap());
    assert_eq!(disks.get(&call(), &extra).await.unwrap().attached_to, None);
    done(disks.delete(&call(), &extra).await.unwrap());
}

async fn it_survives_the_agent(lab: &mut Lab, server: &ExternalRef) {
    let before = lab.virsh(&["list", "--id"]);
    lab.kill_agent();
    lab.start_agent().await;
    assert_eq!(lab.virsh(&["list", "--id"]), before);
    becomes(lab, server, Power::On).await;
}

async fn it_survives_libvirtd(lab: &Lab, server: &ExternalRef) {
    let before = lab.virsh(&["list", "--id"]);
    lab.restart_libvirtd();
    for _ in 0..8 {
        let seen = lab.cloud.compute().unwrap().get(&call(), server).await.unwrap();
        assert_eq!(seen.power, Power::On, "no connection is left that has not noticed");
    }
    assert_eq!(lab.virsh(&["list", "--id"]), before);
}

async fn it_stops_when_asked(lab: &Lab, server: &ExternalRef) {
    done(
        lab.cloud
            .compute()
            .unwrap()
            .stop(&call(), server, Stop::Soft)
            .await
            .unwrap(),
    );
    becomes(lab, server, Power::Off).await;
    console_shows(lab, server, "powering off").await;
}

async fn it_goes_back_in_time(lab: &Lab, server: &ExternalRef, disk: &ExternalRef) {
    let (snapshots, compute) = (lab.cloud.snapshots().unwrap(), lab.cloud.compute().unwrap());
    let snapshot = done(
        snapshots
            .create(&call(), disk, "before", &token("snap-1"))
            .await
            .unwrap(),
    );
    done(compute.start(&call(), server).await.unwrap());
    let refused = snapshots.revert(&call(), &snapshot).await.unwrap_err();
    assert_eq!(
        (refused.kind, refused.code.as_str()),
        (Kind::Conflict, "server_running")
    );
    done(compute.stop(&call(), server, Stop::Hard).await.unwrap());
    done(snapshots.revert(&call(), &snapshot).await.unwrap());
    assert_eq!(snapshots.list(&call(), disk).await.unwrap()[0].name, "before");
    done(snapshots.delete(&call(), &snapshot).await.unwrap());
}

async fn what_happens_behind_our_back_is_told(lab: &Lab, server: &ExternalRef) {
    let changes = lab.cloud.changes().unwrap();
    done(lab.cloud.compute().unwrap().start(&call(), server).await.unwrap());
    let mut feed = changes.next(&call(), &lab.host(), None).await.unwrap();
    while !feed.machines.contains(&(server.clone(), Power::On)) {
        feed = changes.next(&call(), &lab.host(), Some(feed.cursor)).await.unwrap();
    }
    lab.virsh(&["destroy", &lab.virsh(&["list", "--name"])]);
    let began = std::time::Instant::now();
    let told = changes.next(&call(), &lab.host(), Some(feed.cursor)).await.unwrap();
    assert_eq!(told.machines, [(server.clone(), Power::Off)]);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}
