//! Images on the cloud's side.

use contract::Kind;
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
