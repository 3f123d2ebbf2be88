//! Bad moments: an agent that dies in the middle of its work, and many requests at once.

use std::time::Duration;

use contract::{ExternalRef, compute::Nic};
use types::Size;

use crate::{
    lab::{Lab, call, done, token},
    life::{MAC, machine, network, volume},
};

/// Killed at many moments of its work and asked again with the same tokens, the agent makes one of each.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_makes_nothing_twice() {
    let mut lab = Lab::open().await;
    let (net, _) = network(&lab).await;
    for pause in [0, 5, 10, 20, 40, 80, 160] {
        // Whatever came of it is asked for again below.
        drop(tokio::time::timeout(Duration::from_millis(pause), make(&lab, pause, Some(&net))).await);
        lab.kill_agent();
        lab.start_agent().await;
        let (disks, compute) = (lab.cloud.disks().unwrap(), lab.cloud.compute().unwrap());
        let (disk, server) = make(&lab, pause, None).await.unwrap();
        let found = compute.find(&call(), &token(&format!("web-{pause}"))).await.unwrap();
        assert_eq!(found.unwrap().id, server);
        assert_eq!(compute.list(&call(), None).await.unwrap().items.len(), 1);
        assert_eq!(disks.list(&call(), None).await.unwrap().items.len(), 1);
        done(compute.delete(&call(), &server).await.unwrap());
        done(disks.delete(&call(), &disk).await.unwrap());
    }
    done(lab.cloud.networks().unwrap().delete(&call(), &net).await.unwrap());
    lab.assert_empty().await;
}

/// A disk and a started server, under tokens made from `number`.
async fn make(lab: &Lab, number: u64, net: Option<&ExternalRef>) -> contract::Result<(ExternalRef, ExternalRef)> {
    let (disks, compute) = (lab.cloud.disks().unwrap(), lab.cloud.compute().unwrap());
    let (name, disk) = (format!("web-{number}"), token(&format!("disk-{number}")));
    let disk = done(disks.create(&call(), &volume(lab, "root", None), &disk).await?);
    let nic = |network: &ExternalRef| Nic {
        network: network.clone(),
        mac: MAC.to_owned(),
        address: None,
    };
    let spec = machine(lab, &name, &disk, net.map(nic).into_iter().collect());
    let server = done(compute.create(&call(), &spec, &token(&name)).await?);
    done(compute.start(&call(), &server).await?);
    Ok((disk, server))
}

/// Many at once, as one command makes them: all run, none twice, and nothing is left when they are deleted.
#[tokio::test(flavor = "multi_thread")]
async fn many_are_made_at_once() {
    const COUNT: usize = 8;
    let lab = Lab::open().await;
    let (disks, compute) = (lab.cloud.disks().unwrap(), lab.cloud.compute().unwrap());
    let images = futures::future::join_all((0..COUNT).map(|_| lab.image())).await;
    let make = async |n: usize| {
        let name = format!("many-{n}");
        let spec = volume(&lab, &name, Some(&images[n]));
        let disk = done(
            disks
                .create(&call(), &spec, &token(&format!("disk-{n}")))
                .await
                .unwrap(),
        );
        let mut spec = machine(&lab, &name, &disk, Vec::new());
        spec.shape.memory = Size::mib(64);
        let server = done(compute.create(&call(), &spec, &token(&name)).await.unwrap());
        done(compute.start(&call(), &server).await.unwrap());
        (disk, server)
    };
    let made = futures::future::join_all((0..COUNT).map(make)).await;
    assert_eq!(lab.virsh(&["list", "--name"]).lines().count(), COUNT);
    assert_eq!(
        lab.files("images").len(),
        1,
        "the image was uploaded {COUNT} times and kept once"
    );
    for (disk, server) in &made {
        done(compute.delete(&call(), server).await.unwrap());
        done(disks.delete(&call(), disk).await.unwrap());
    }
    lab.cloud.images().unwrap().delete(&call(), &images[0]).await.unwrap();
    lab.assert_empty().await;
}
