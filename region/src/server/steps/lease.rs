//! Addresses on the host: the network is told which card has which.

use contract::network::Lease;
use serde::{Deserialize, Serialize};
use task::{Step, StepCx};
use types::{AccountId, ExternalRef, Result};

use crate::clouds::{StepClouds, family};

/// Make the network answer this card with its address.
#[derive(Serialize, Deserialize)]
pub struct LeaseAddress {
    pub account: AccountId,
    pub network: ExternalRef,
    pub lease: Lease,
}

impl Step for LeaseAddress {
    type Output = ();
    const NAME: &'static str = "lease-address";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        family(cloud.networks(), "networks")?
            .reserve(&cx.call(), &self.network, &self.lease)
            .await
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        family(cloud.networks(), "networks")?
            .release(&cx.call(), &self.network, &self.lease)
            .await
    }
}

/// Make the network forget it.
#[derive(Serialize, Deserialize)]
pub struct UnleaseAddress {
    pub account: AccountId,
    pub network: ExternalRef,
    pub lease: Lease,
}

impl Step for UnleaseAddress {
    type Output = ();
    const NAME: &'static str = "unlease-address";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        family(cloud.networks(), "networks")?
            .release(&cx.call(), &self.network, &self.lease)
            .await
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        family(cloud.networks(), "networks")?
            .reserve(&cx.call(), &self.network, &self.lease)
            .await
    }
}
