//! What a rule needs: specs with names of their own, and things made from them that are cleaned up.

use bytes::Bytes;
use contract::{
    Compute, Disks, ExternalRef, ImageSpec, Images, MachineSpec, NetworkSpec, VolumeSpec,
    compute::{Nic, Seed, Shape},
    network::Mode,
};
use futures::{StreamExt, stream};
use sha2::{Digest, Sha512};
use types::Size;

use super::{Broken, Lab, Made, Verdict};

impl Lab {
    pub fn volume_spec(&self) -> VolumeSpec {
        VolumeSpec {
            name: self.name(),
            place: self.place.clone(),
            size: self.subject.volume,
            image: None,
        }
    }

    pub fn machine_spec(&self, disks: Vec<ExternalRef>, nics: Vec<Nic>) -> MachineSpec {
        let name = self.name();
        MachineSpec {
            place: self.place.clone(),
            shape: Shape {
                vcpus: 1,
                memory: Size::mib(128),
            },
            disks,
            nics,
            seed: Seed {
                instance_id: name.clone(),
                hostname: name.clone(),
                ..Seed::default()
            },
            tags: vec![("made-by".to_owned(), "conformance".to_owned())],
            name,
        }
    }

    /// A range that is unlikely to be in use. `None` where networks cannot be made without a bridge of the site's.
    pub fn network_spec(&self) -> Option<NetworkSpec> {
        self.cloud.capabilities().networks.as_ref().filter(|can| can.nat)?;
        let range = format!("10.{}.{}", rand::random_range(200..250), rand::random_range(0..=255));
        Some(NetworkSpec {
            name: self.name(),
            cidr: format!("{range}.0/24"),
            gateway: format!("{range}.1"),
            mode: Mode::Nat,
        })
    }

    /// The subject's image, made different from everyone else's.
    pub fn image(&self) -> Verdict<(ImageSpec, Bytes)> {
        let image = self.subject.image.as_ref();
        let image = image.ok_or_else(|| Broken("the subject gives no image for the family `images`".to_owned()))?;
        let mut bytes = image.bytes.to_vec();
        bytes.extend(format!("{:<512}", self.name()).bytes());
        let spec = ImageSpec {
            name: self.name(),
            digest: hex::encode(Sha512::digest(&bytes)),
            format: image.format.clone(),
            size: Size::bytes(bytes.len() as u64),
        };
        Ok((spec, bytes.into()))
    }

    /// A new, empty volume that is cleaned up.
    pub async fn volume(&self, disks: &dyn Disks) -> Verdict<ExternalRef> {
        let made = disks.create(&self.call(), &self.volume_spec(), &self.token()).await;
        Ok(self.keep_volume(self.id(made).await?))
    }

    /// A new server that is cleaned up, with one empty disk where there are disks.
    pub async fn machine(&self, compute: &dyn Compute) -> Verdict<ExternalRef> {
        let disks = self.boot_disks().await?;
        self.machine_with(compute, disks, Vec::new()).await
    }

    /// One empty volume, on clouds that have volumes.
    pub async fn boot_disks(&self) -> Verdict<Vec<ExternalRef>> {
        Ok(match self.disks()? {
            Some(disks) => vec![self.volume(disks).await?],
            None => Vec::new(),
        })
    }

    pub async fn machine_with(
        &self,
        compute: &dyn Compute,
        disks: Vec<ExternalRef>,
        nics: Vec<Nic>,
    ) -> Verdict<ExternalRef> {
        let spec = self.machine_spec(disks, nics);
        let made = compute.create(&self.call(), &spec, &self.token()).await;
        Ok(self.keep_machine(self.id(made).await?))
    }

    pub async fn upload(&self, images: &dyn Images) -> Verdict<(ExternalRef, ImageSpec)> {
        let (spec, bytes) = self.image()?;
        let content = stream::iter([Ok(bytes)]).boxed();
        let image = images.upload(&self.call(), &spec, &self.place, content).await?;
        self.keep(Made::Image(image.clone()));
        Ok((image, spec))
    }
}
