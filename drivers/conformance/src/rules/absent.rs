//! What is not there: never made, or gone.

use contract::{Call, Compute, Error, ExternalRef, Kind, compute::Stop};

use crate::{Lab, Verdict, ensure, lab::refused};

pub async fn r06_get_of_the_absent_is_not_found(lab: &Lab) -> Verdict {
    let call = &lab.call();
    let nowhere = lab.nowhere();
    if let Some(hosts) = lab.cloud.hosts() {
        named(
            &refused(hosts.get(call, &nowhere).await, Kind::NotFound, "an unknown host")?,
            &nowhere,
        )?;
    }
    if let Some(disks) = lab.disks()? {
        named(
            &refused(disks.get(call, &nowhere).await, Kind::NotFound, "an unknown volume")?,
            &nowhere,
        )?;
        let gone = lab.volume(disks).await?;
        lab.done(disks.delete(call, &gone).await).await?;
        named(
            &refused(disks.get(call, &gone).await, Kind::NotFound, "a deleted volume")?,
            &gone,
        )?;
    }
    if let Some(compute) = lab.compute()? {
        named(
            &refused(compute.get(call, &nowhere).await, Kind::NotFound, "an unknown server")?,
            &nowhere,
        )?;
        let gone = gone(lab, compute).await?;
        named(
            &refused(compute.get(call, &gone).await, Kind::NotFound, "a deleted server")?,
            &gone,
        )?;
    }
    Ok(())
}

pub async fn r07_delete_of_the_absent_succeeds(lab: &Lab) -> Verdict {
    let call = &lab.call();
    let nowhere = lab.nowhere();
    if let Some(compute) = lab.compute()? {
        let gone = gone(lab, compute).await?;
        for id in [&nowhere, &gone] {
            lab.done(compute.delete(call, id).await).await?;
        }
    }
    if let Some(disks) = lab.disks()? {
        let gone = lab.volume(disks).await?;
        for id in [&gone, &gone, &nowhere] {
            lab.done(disks.delete(call, id).await).await?;
        }
    }
    if let Some(networks) = lab.networks()? {
        lab.done(networks.delete(call, &nowhere).await).await?;
    }
    if let Some(snapshots) = lab.snapshots()? {
        lab.done(snapshots.delete(call, &nowhere).await).await?;
    }
    if let Some(images) = lab.images()? {
        images.delete(call, &nowhere).await?;
    }
    Ok(())
}

pub async fn r10_acting_on_the_absent_is_not_found(lab: &Lab) -> Verdict {
    let Some(compute) = lab.compute()? else { return Ok(()) };
    let call = &lab.call();
    for id in [lab.nowhere(), gone(lab, compute).await?] {
        act(lab, compute, call, &id).await?;
    }
    Ok(())
}

async fn act(lab: &Lab, compute: &dyn Compute, call: &Call, id: &ExternalRef) -> Verdict {
    refused(lab.done(compute.start(call, id).await).await, Kind::NotFound, "start")?;
    for how in [Stop::Soft, Stop::Hard] {
        refused(
            lab.done(compute.stop(call, id, how).await).await,
            Kind::NotFound,
            "stop",
        )?;
    }
    refused(
        lab.done(compute.reboot(call, id, Stop::Hard).await).await,
        Kind::NotFound,
        "reboot",
    )?;
    let shape = lab.machine_spec(Vec::new(), Vec::new()).shape;
    refused(
        lab.done(compute.resize(call, id, shape).await).await,
        Kind::NotFound,
        "resize",
    )?;
    if let Some(can) = &lab.cloud.capabilities().compute
        && can.console_log
    {
        refused(compute.console_log(call, id, 100).await, Kind::NotFound, "console log")?;
    }
    Ok(())
}

async fn gone(lab: &Lab, compute: &dyn Compute) -> Verdict<ExternalRef> {
    let machine = lab.machine(compute).await?;
    lab.done(compute.delete(&lab.call(), &machine).await).await?;
    Ok(machine)
}

fn named(error: &Error, id: &ExternalRef) -> Verdict {
    ensure!(
        error.chain().contains(id.as_str()),
        "the message does not name {id}: {}",
        error.chain()
    );
    Ok(())
}
