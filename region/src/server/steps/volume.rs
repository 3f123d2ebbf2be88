//! Volumes on a cloud.

use contract::{Token, VolumeSpec};
use serde::{Deserialize, Serialize};
use store::sea_orm::sea_query::Expr;
use task::{Step, StepCx};
use types::{AccountId, DiskId, ExternalRef, Result, Size};

use crate::{
    clouds::{StepClouds, family, place, settled},
    disk,
    swap::set,
};

/// Make a volume, empty or from an image that is there.
#[derive(Serialize, Deserialize)]
pub struct MakeVolume {
    pub disk: DiskId,
    pub account: AccountId,
    pub host: ExternalRef,
    pub storage: String,
    pub name: String,
    pub size: Size,
    pub image: Option<ExternalRef>,
}

impl Step for MakeVolume {
    type Output = ExternalRef;
    const NAME: &'static str = "make-volume";

    async fn run(&self, cx: &StepCx) -> Result<ExternalRef> {
        let cloud = cx.cloud(self.account).await?;
        let disks = family(cloud.disks(), "disks")?;
        let spec = VolumeSpec {
            name: self.name.clone(),
            place: place(&self.host, Some(&self.storage)),
            size: self.size,
            image: self.image.clone(),
        };
        let volume = settled(cx, disks.create(&cx.call(), &spec, &Token::new(cx.token())).await?)?;
        let tx = cx.tx().await?;
        set::<disk::Entity>(&tx, self.disk, |u| {
            u.col_expr(disk::Column::ExternalId, Expr::value(volume.clone()))
        })
        .await?;
        cx.commit(tx, &volume).await?;
        Ok(volume)
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let disks = family(cloud.disks(), "disks")?;
        if let Some(volume) = disks.find(&cx.call(), &Token::new(cx.token())).await? {
            settled(cx, disks.delete(&cx.call(), &volume.id).await?)?;
        }
        let tx = cx.tx().await?;
        set::<disk::Entity>(&tx, self.disk, |u| {
            u.col_expr(disk::Column::ExternalId, Expr::value(None::<String>))
        })
        .await?;
        cx.commit(tx, &()).await
    }
}

/// Delete a volume with what is on it.
#[derive(Serialize, Deserialize)]
pub struct RemoveVolume {
    pub account: AccountId,
    pub volume: ExternalRef,
}

impl Step for RemoveVolume {
    type Output = ();
    const NAME: &'static str = "remove-volume";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let disks = family(cloud.disks(), "disks")?;
        settled(cx, disks.delete(&cx.call(), &self.volume).await?)
    }

    /// What was on it is gone: nothing can bring it back, and the row says failed.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
