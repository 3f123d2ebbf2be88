//! Bringing an image to a host, once: hosts keep it by digest.

use contract::ImageSpec;
use serde::{Deserialize, Serialize};
use task::{Step, StepCx};
use types::{AccountId, ExternalRef, Result};

use crate::{
    State,
    clouds::{StepClouds, family, place},
    images::{self, Image},
};

/// Find the image on the host, or send it there.
#[derive(Serialize, Deserialize)]
pub struct StageImage {
    pub account: AccountId,
    pub host: ExternalRef,
    pub image: Image,
}

impl Step for StageImage {
    type Output = ExternalRef;
    const NAME: &'static str = "stage-image";

    fn limit(&self) -> std::time::Duration {
        std::time::Duration::from_secs(3600)
    }

    async fn run(&self, cx: &StepCx) -> Result<ExternalRef> {
        let cloud = cx.cloud(self.account).await?;
        let store = family(cloud.images(), "images of its own")?;
        let place = place(&self.host, None);
        if let Some(known) = store.find(&cx.call(), &place, &self.image.digest).await? {
            return Ok(known);
        }
        let content = images::content(cx.get::<State>(), cx.cx().request_id(), &self.image.id).await?;
        let spec = ImageSpec {
            name: self.image.name.clone(),
            digest: self.image.digest.clone(),
            format: self.image.format.clone(),
            size: self.image.size,
        };
        store.upload(&cx.call(), &spec, &place, content).await
    }

    /// The host keeps it for the next server.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
