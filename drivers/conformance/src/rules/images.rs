//! Images on the cloud's side.

use contract::{Call, Disks, ExternalRef, Kind, compute::Stop};
use futures::{StreamExt, stream};

use crate::{Lab, Verdict, ensure, lab::refused};

pub async fn r19_uploads_are_hashed(lab: &Lab) -> Verdict {
    let Some(images) = lab.images()? else { return Ok(()) };
    let call = &lab.call();
    let (spec, bytes) = lab.image()?;
    let mut other = bytes.to_vec();
    let last = other.len() - 1;
    other[last] ^= 1;
    let content = stream::iter([Ok(other.into())]).boxed();
    let answer = images.upload(call, &spec, &lab.place, content).await;
    refused(answer, Kind::Invalid, "an upload that is not what was announced")?;
    let found = images.find(call, &lab.place, &spec.digest).await?;
    ensure!(found.is_none(), "a refused upload is found: {found:?}");
    let (image, spec) = lab.upload(images).await?;
    let found = images.find(call, &lab.place, &spec.digest).await?;
    ensure!(found.as_ref() == Some(&image), "uploaded {image}, found {found:?}");
    images.delete(call, &image).await?;
    let found = images.find(call, &lab.place, &spec.digest).await?;
    ensure!(found.is_none(), "a deleted image is found: {found:?}");
    Ok(())
}

pub async fn r20_volumes_start_from_images(lab: &Lab) -> Verdict {
    let (Some(images), Some(disks)) = (lab.images()?, lab.disks()?) else {
        return Ok(());
    };
    let call = &lab.call();
    let (image, _) = lab.upload(images).await?;
    let mut spec = lab.volume_spec();
    spec.image = Some(image.clone());
    let volume = lab.keep_volume(lab.id(disks.create(call, &spec, &lab.token()).await).await?);
    refused(
        images.delete(call, &image).await,
        Kind::Conflict,
        "delete of an image under a volume",
    )?;
    lab.done(disks.rebuild(call, &volume, &image).await).await?;
    let rebuilt = disks.get(call, &volume).await?;
    ensure!(rebuilt.id == volume, "a rebuild made {} out of {volume}", rebuilt.id);
    ensure!(
        rebuilt.size == spec.size,
        "a rebuild changed the size to {}",
        rebuilt.size
    );
    lab.done(disks.delete(call, &volume).await).await?;
    images.delete(call, &image).await?;
    Ok(())
}

pub async fn r32_rebuild_from_another_image(lab: &Lab) -> Verdict {
    let (Some(images), Some(disks)) = (lab.images()?, lab.disks()?) else {
        return Ok(());
    };
    let call = &lab.call();
    let ((first, _), (second, _)) = (lab.upload(images).await?, lab.upload(images).await?);
    let mut spec = lab.volume_spec();
    spec.image = Some(first.clone());
    let volume = lab.keep_volume(lab.id(disks.create(call, &spec, &lab.token()).await).await?);
    let machine = match lab.compute()? {
        Some(compute) => Some((
            compute,
            lab.machine_with(compute, vec![volume.clone()], Vec::new()).await?,
        )),
        None => None,
    };
    let before = disks.get(call, &volume).await?;
    let answer = lab.done(disks.rebuild(call, &volume, &lab.nowhere()).await).await;
    refused(answer, Kind::NotFound, "a rebuild from no image")?;
    if let Some((compute, machine)) = &machine {
        lab.done(compute.start(call, machine).await).await?;
        let answer = lab.done(disks.rebuild(call, &volume, &second).await).await;
        refused(answer, Kind::Conflict, "a rebuild under a running server")?;
        lab.done(compute.stop(call, machine, Stop::Hard).await).await?;
    }
    not_over_snapshots(lab, call, disks, &volume, &second).await?;
    let kept = images.delete(call, &first).await;
    refused(
        kept,
        Kind::Conflict,
        "delete of the image under a volume that was not rebuilt",
    )?;
    for _ in 0..2 {
        lab.done(disks.rebuild(call, &volume, &second).await).await?;
    }
    let after = disks.get(call, &volume).await?;
    ensure!(after == before, "a rebuild made {after:?} out of {before:?}");
    images.delete(call, &first).await?;
    let kept = images.delete(call, &second).await;
    refused(kept, Kind::Conflict, "delete of the image a volume was rebuilt from").map(drop)
}

/// Snapshots are of the old content and would go with it.
async fn not_over_snapshots(
    lab: &Lab,
    call: &Call,
    disks: &dyn Disks,
    volume: &ExternalRef,
    image: &ExternalRef,
) -> Verdict {
    let Some(snapshots) = lab.snapshots()? else {
        return Ok(());
    };
    let made = snapshots.create(call, volume, &lab.name(), &lab.token()).await;
    let snapshot = lab.id(made).await?;
    let answer = lab.done(disks.rebuild(call, volume, image).await).await;
    refused(answer, Kind::Conflict, "a rebuild of a volume with a snapshot")?;
    let left = snapshots.list(call, volume).await?.len();
    ensure!(left == 1, "a refused rebuild left {left} snapshots of one");
    lab.done(snapshots.delete(call, &snapshot).await).await?;
    Ok(())
}
