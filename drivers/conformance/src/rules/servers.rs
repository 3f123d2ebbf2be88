//! Shape, name, console and host of a server.

use contract::{Kind, Op, compute::Shape};
use types::{Size, states::Power};

use super::power::becomes;
use crate::{Lab, Verdict, ensure, lab::refused};

pub async fn r12_resize(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let call = &lab.call();
    let machine = lab.machine(compute).await?;
    let larger = Shape {
        vcpus: 2,
        memory: Size::mib(192),
    };
    for _ in 0..2 {
        lab.done(compute.resize(call, &machine, larger).await).await?;
        let shape = compute.get(call, &machine).await?.shape;
        ensure!(shape == larger, "resized to {larger:?}, it shows {shape:?}");
    }
    if lab
        .cloud
        .capabilities()
        .compute
        .as_ref()
        .is_some_and(|can| can.resize_running)
    {
        return Ok(());
    }
    lab.done(compute.start(call, &machine).await).await?;
    becomes(lab, compute, &machine, Power::On).await?;
    let smaller = Shape { vcpus: 1, ..larger };
    let answer = lab.done(compute.resize(call, &machine, smaller).await).await;
    refused(answer, Kind::Conflict, "resize of a running server")?;
    let shape = compute.get(call, &machine).await?.shape;
    ensure!(shape == larger, "a refused resize changed the shape to {shape:?}");
    Ok(())
}

pub async fn r24_a_taken_name_is_conflict(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let machine = lab.machine(compute).await?;
    let name = compute.get(&lab.call(), &machine).await?.name;
    let mut spec = lab.machine_spec(lab.boot_disks().await?, Vec::new());
    spec.name = name;
    let token = lab.token();
    let answer = compute.create(&lab.call(), &spec, &token).await;
    if let Ok(Op::Done(id)) = &answer {
        lab.keep_machine(id.clone());
    }
    refused(answer, Kind::Conflict, "a second server of one name")?;
    let found = compute.find(&lab.call(), &token).await?;
    ensure!(found.is_none(), "the refused server is there: {found:?}");
    Ok(())
}

pub async fn r25_console_log(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    if !lab
        .cloud
        .capabilities()
        .compute
        .as_ref()
        .is_some_and(|can| can.console_log)
    {
        return Ok(());
    }
    let call = &lab.call();
    let machine = lab.machine(compute).await?;
    compute.console_log(call, &machine, 1000).await?;
    lab.done(compute.start(call, &machine).await).await?;
    becomes(lab, compute, &machine, Power::On).await?;
    for limit in [0, 1, 40] {
        // Replacing what is not UTF-8 may make a byte into three.
        let count = compute.console_log(call, &machine, limit).await?.chars().count();
        ensure!(
            count <= limit,
            "asked for {limit} bytes of the log, got {count} characters"
        );
    }
    Ok(())
}

pub async fn r28_servers_go_where_they_are_told(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let chooses = lab
        .cloud
        .capabilities()
        .compute
        .as_ref()
        .is_some_and(|can| can.choose_host);
    let Some(hosts) = lab.cloud.hosts().filter(|_| chooses) else {
        return Ok(());
    };
    // The last host is the one that a driver which ignores the wish is least likely to take.
    let page = hosts.list(&lab.call(), None).await?;
    let Some(host) = page.items.iter().rfind(|host| host.reachable) else {
        return Err(crate::Broken("no host answers".to_owned()));
    };
    let mut spec = lab.machine_spec(Vec::new(), Vec::new());
    spec.place.host = Some(host.id.clone());
    if let Some(disks) = lab.disks()? {
        let mut volume = lab.volume_spec();
        volume.place = spec.place.clone();
        let made = disks.create(&lab.call(), &volume, &lab.token()).await;
        spec.disks = vec![lab.keep_volume(lab.id(made).await?)];
    }
    let made = compute.create(&lab.call(), &spec, &lab.token()).await;
    let machine = lab.keep_machine(lab.id(made).await?);
    let at = compute.get(&lab.call(), &machine).await?.host;
    ensure!(
        at.as_ref() == Some(&host.id),
        "asked for host {}, it is on {at:?}",
        host.id
    );
    Ok(())
}
