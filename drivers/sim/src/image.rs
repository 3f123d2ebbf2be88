//! Simulated images: hashed as they arrive, then only their digest and length are kept.

use async_trait::async_trait;
use bytes::Bytes;
use contract::{Call, Error, ExternalRef, ImageSpec, Images, Result, site::Place};
use futures::{StreamExt, stream::BoxStream};
use sha2::{Digest, Sha512};

use crate::{
    cloud::{SimCloud, external},
    world::{self, Change, World},
};

#[async_trait]
impl Images for SimCloud {
    async fn find(&self, call: &Call, _place: &Place, digest: &str) -> Result<Option<ExternalRef>> {
        self.look(call, "images.find", |world, _| Ok(with_digest(world, digest)))
            .await
    }

    async fn upload(
        &self,
        call: &Call,
        spec: &ImageSpec,
        _place: &Place,
        content: BoxStream<'static, Result<Bytes>>,
    ) -> Result<ExternalRef> {
        call.bound("images.upload", check(spec, content)).await?;
        self.quick(call, "images.upload", |draft| {
            if let Some(there) = with_digest(draft.world, &spec.digest) {
                return Ok(there);
            }
            let row = world::Image {
                id: draft.id("img"),
                name: spec.name.clone(),
                digest: spec.digest.clone(),
                format: spec.format.clone(),
                size: spec.size,
            };
            let id = external(&row.id);
            draft.push(Change::Image(row));
            Ok(id)
        })
        .await
    }

    async fn delete(&self, call: &Call, image: &ExternalRef) -> Result<()> {
        self.quick(call, "images.delete", |draft| {
            let Some(row) = draft.world.images.get(image.as_str()) else {
                return Ok(());
            };
            let stands = |v: &&world::Volume| v.image.as_deref() == Some(image.as_str());
            if let Some(volume) = draft.world.volumes.values().find(stands) {
                let message = format!("image {} is under volume {}: delete that first", row.name, volume.name);
                return Err(Error::conflict(message).code("image_in_use").on("image", image));
            }
            draft.push(Change::ImageGone(image.to_string()));
            Ok(())
        })
        .await
    }
}

fn with_digest(world: &World, digest: &str) -> Option<ExternalRef> {
    world
        .images
        .values()
        .find(|i| i.digest == digest)
        .map(|i| external(&i.id))
}

/// Reads the content to its end and compares digest and length with what was announced.
async fn check(spec: &ImageSpec, mut content: BoxStream<'static, Result<Bytes>>) -> Result<()> {
    let (mut hash, mut length) = (Sha512::new(), 0u64);
    while let Some(chunk) = content.next().await {
        let chunk = chunk?;
        hash.update(&chunk);
        length += chunk.len() as u64;
    }
    let digest = hex::encode(hash.finalize());
    if digest != spec.digest {
        let message = format!(
            "the content of image {} has the digest {digest}, not the announced one",
            spec.name
        );
        return Err(Error::invalid(message).code("digest_mismatch"));
    }
    if length != spec.size.as_bytes() {
        let message = format!(
            "image {} has {length} bytes, not the announced {}",
            spec.name,
            spec.size.as_bytes()
        );
        return Err(Error::invalid(message).code("size_mismatch"));
    }
    Ok(())
}
