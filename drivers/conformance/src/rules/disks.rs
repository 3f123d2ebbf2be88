//! Volumes and their snapshots.

use contract::{ExternalRef, Kind};
use types::Size;

use crate::{Lab, Verdict, ensure, lab::refused};

pub async fn r13_attach_and_detach(lab: &Lab) -> Verdict {
    let (Some(compute), Some(disks)) = (lab.compute()?, lab.disks()?) else {
        return Ok(());
    };
    let call = &lab.call();
    let machine = lab.machine(compute).await?;
    let volume = lab.volume(disks).await?;
    for _ in 0..2 {
        lab.done(compute.attach(call, &machine, &volume).await).await?;
        let (server, disk) = (compute.get(call, &machine).await?, disks.get(call, &volume).await?);
        ensure!(
            server.disks.contains(&volume),
            "the server does not show the volume: {:?}",
            server.disks
        );
        ensure!(
            disk.attached_to.as_ref() == Some(&machine),
            "the volume shows {:?}",
            disk.attached_to
        );
    }
    for _ in 0..2 {
        lab.done(compute.detach(call, &machine, &volume).await).await?;
        let (server, disk) = (compute.get(call, &machine).await?, disks.get(call, &volume).await?);
        ensure!(
            !server.disks.contains(&volume),
            "the server still shows the volume: {:?}",
            server.disks
        );
        ensure!(
            disk.attached_to.is_none(),
            "the volume still shows {:?}",
            disk.attached_to
        );
    }
    Ok(())
}

pub async fn r14_an_attached_volume_is_not_deleted(lab: &Lab) -> Verdict {
    let (Some(compute), Some(disks)) = (lab.compute()?, lab.disks()?) else {
        return Ok(());
    };
    let volume = lab.volume(disks).await?;
    let machine = lab.machine_with(compute, vec![volume.clone()], Vec::new()).await?;
    let answer = lab.done(disks.delete(&lab.call(), &volume).await).await;
    refused(answer, Kind::Conflict, "delete of an attached volume")?;
    let disk = disks.get(&lab.call(), &volume).await?;
    ensure!(
        disk.attached_to == Some(machine),
        "the volume is no longer attached: {disk:?}"
    );
    Ok(())
}

pub async fn r15_volumes_grow(lab: &Lab) -> Verdict {
    let Some(disks) = lab.disks()? else { return Ok(()) };
    let call = &lab.call();
    let volume = lab.volume(disks).await?;
    let larger = Size::bytes(lab.subject.volume.as_bytes() * 2);
    for _ in 0..2 {
        lab.done(disks.resize(call, &volume, larger).await).await?;
        let size = disks.get(call, &volume).await?.size;
        ensure!(size == larger, "grown to {larger}, it shows {size}");
    }
    let answer = lab.done(disks.resize(call, &volume, lab.subject.volume).await).await;
    refused(answer, Kind::Invalid, "shrinking a volume")?;
    let size = disks.get(call, &volume).await?.size;
    ensure!(size == larger, "a refused resize changed the size to {size}");
    Ok(())
}

pub async fn r16_snapshots(lab: &Lab) -> Verdict {
    let (Some(disks), Some(snapshots)) = (lab.disks()?, lab.snapshots()?) else {
        return Ok(());
    };
    let call = &lab.call();
    let volume = lab.volume(disks).await?;
    let (first_token, second_token) = (lab.token(), lab.token());
    let first = lab
        .id(snapshots.create(call, &volume, &lab.name(), &first_token).await)
        .await?;
    let second = lab
        .id(snapshots.create(call, &volume, &lab.name(), &second_token).await)
        .await?;
    listed(lab, &volume, &[&first, &second]).await?;
    let seen = snapshots.list(call, &volume).await?;
    let tokens: Vec<_> = seen.into_iter().map(|s| s.token).collect();
    ensure!(
        tokens == [Some(first_token), Some(second_token)],
        "the snapshots show the tokens {tokens:?}"
    );
    let can = lab.cloud.capabilities().snapshots.as_ref();
    if can.is_some_and(|can| can.revert) {
        lab.done(snapshots.revert(call, &first).await).await?;
        listed(lab, &volume, &[&first, &second]).await?;
    }
    for _ in 0..2 {
        lab.done(snapshots.delete(call, &first).await).await?;
        listed(lab, &volume, &[&second]).await?;
    }
    lab.done(snapshots.delete(call, &second).await).await?;
    listed(lab, &volume, &[]).await
}

async fn listed(lab: &Lab, volume: &ExternalRef, due: &[&ExternalRef]) -> Verdict {
    let Some(snapshots) = lab.snapshots()? else {
        return Ok(());
    };
    let seen = snapshots.list(&lab.call(), volume).await?;
    let ids: Vec<_> = seen.iter().map(|snapshot| &snapshot.id).collect();
    ensure!(ids == due, "snapshots {due:?} were due, {ids:?} are listed");
    Ok(())
}
