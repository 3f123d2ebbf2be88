//! On and off.

use std::time::{Duration, Instant};

use contract::{
    Compute, ExternalRef, Kind,
    compute::{Nic, Sign, Stop},
};
use types::states::Power;

use crate::{Lab, Verdict, ensure, lab::refused, rules::networks::mac};

/// More than a guest's shutdown could hide in.
const AT_ONCE: Duration = Duration::from_secs(5);

pub async fn r08_lifecycle(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let call = &lab.call();
    let machine = lab.machine(compute).await?;
    let disks = compute.get(call, &machine).await?.disks;
    becomes(lab, compute, &machine, Power::Off).await?;
    lab.done(compute.start(call, &machine).await).await?;
    becomes(lab, compute, &machine, Power::On).await?;
    lab.done(compute.stop(call, &machine, Stop::Hard).await).await?;
    becomes(lab, compute, &machine, Power::Off).await?;
    lab.done(compute.start(call, &machine).await).await?;
    lab.done(compute.delete(call, &machine).await).await?;
    refused(
        compute.get(call, &machine).await,
        Kind::NotFound,
        "a server deleted while it ran",
    )?;
    if let Some(family) = lab.disks()? {
        ensure!(
            disks.len() == 1,
            "the server was made with one disk and shows {disks:?}"
        );
        let disk = family.get(call, &disks[0]).await?;
        ensure!(
            disk.attached_to.is_none(),
            "the disk of a deleted server is still attached"
        );
    }
    Ok(())
}

pub async fn r09_start_and_stop_repeat(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let call = &lab.call();
    let machine = lab.machine(compute).await?;
    for how in [Stop::Soft, Stop::Hard] {
        lab.done(compute.stop(call, &machine, how).await).await?;
    }
    becomes(lab, compute, &machine, Power::Off).await?;
    for _ in 0..2 {
        lab.done(compute.start(call, &machine).await).await?;
        becomes(lab, compute, &machine, Power::On).await?;
    }
    for _ in 0..2 {
        lab.done(compute.stop(call, &machine, Stop::Hard).await).await?;
        becomes(lab, compute, &machine, Power::Off).await?;
    }
    Ok(())
}

pub async fn r26_reboot_leaves_it_on(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let call = &lab.call();
    let machine = lab.machine(compute).await?;
    lab.done(compute.start(call, &machine).await).await?;
    becomes(lab, compute, &machine, Power::On).await?;
    lab.done(compute.reboot(call, &machine, Stop::Hard).await).await?;
    becomes(lab, compute, &machine, Power::On).await
}

pub async fn r30_a_soft_stop_answers_at_once(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let call = &lab.call();
    let machine = lab.machine(compute).await?;
    lab.done(compute.start(call, &machine).await).await?;
    becomes(lab, compute, &machine, Power::On).await?;
    let began = Instant::now();
    compute.stop(call, &machine, Stop::Soft).await?;
    let took = began.elapsed();
    ensure!(took < AT_ONCE, "asking the guest to stop took {took:?}");
    Ok(())
}

pub async fn r31_the_sign_of_life(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let call = &lab.call();
    let told = lab.cloud.capabilities().compute.as_ref().is_some_and(|can| can.sign);
    let nics = match lab.networks()?.zip(lab.network_spec()) {
        Some((networks, spec)) => {
            let made = networks.create(call, &spec, &lab.place, &lab.token()).await;
            vec![Nic {
                network: lab.keep_network(lab.id(made).await?),
                mac: mac(),
                address: None,
            }]
        }
        None => Vec::new(),
    };
    let carded = !nics.is_empty();
    let machine = lab.machine_with(compute, lab.boot_disks().await?, nics).await?;
    // The second round begins with what the first left: an older sign must not shine through while it is off.
    for _ in 0..2 {
        let off = compute.get(call, &machine).await?;
        ensure!(off.sign.is_none(), "a server that is off shows {:?}", off.sign);
        lab.done(compute.start(call, &machine).await).await?;
        becomes(lab, compute, &machine, Power::On).await?;
        let on = compute.get(call, &machine).await?;
        ensure!(
            !carded || on.sign.is_some() == told,
            "a running server shows {:?}, its capability is {}",
            on.sign,
            if told { "there" } else { "absent" }
        );
        let later = compute.get(call, &machine).await?;
        ensure!(
            on.sign != Some(Sign::Given) || later.sign == on.sign,
            "a sign that was given became {:?} while the server ran",
            later.sign
        );
        lab.done(compute.stop(call, &machine, Stop::Hard).await).await?;
        becomes(lab, compute, &machine, Power::Off).await?;
    }
    Ok(())
}

pub async fn becomes(lab: &Lab, compute: &dyn Compute, machine: &ExternalRef, power: Power) -> Verdict {
    let look = || async {
        let seen = compute.get(&lab.call(), machine).await?.power;
        Ok((seen == power).then_some(()))
    };
    lab.until(&format!("server {machine} was {power}"), look).await
}
