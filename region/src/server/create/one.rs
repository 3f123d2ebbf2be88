//! The workflow that makes one server.

use auth::Cx;
use contract::{
    MachineSpec,
    compute::{Nic, Seed, Shape},
    network::Lease,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Tx, sea_orm::sea_query::Expr};
use task::{Outcome, StepKind, TaskCx, Workflow};
use types::{DiskId, ExternalRef, NetworkId, Result, ServerId, Size, states};

use super::super::{settle, steps::*};
use crate::{address, disk, images::Image, network::ensure::EnsureNetwork, swap::set};

/// A network card before it exists.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Card {
    pub network: NetworkId,
    pub mac: String,
    pub address: String,
}

#[derive(Serialize, Deserialize)]
pub struct CreateServer {
    pub(super) server: ServerId,
    pub(super) name: String,
    pub(super) disk: DiskId,
    pub(super) root: Size,
    pub(super) shape: Shape,
    pub(super) nics: Vec<Card>,
    pub(super) image: Image,
    pub(super) seed: Seed,
    pub(super) ask: Value,
    pub(super) start: bool,
}

impl Workflow for CreateServer {
    const NAME: &'static str = "server-create";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let placed = cx
            .step(ClaimHost {
                server: self.server,
                disk: self.disk,
                ask: self.ask.clone(),
            })
            .await?;
        let image = self.image.clone();
        let image = cx
            .step(StageImage {
                account: placed.account,
                host: placed.host_ref.clone(),
                image,
            })
            .await?;
        let mut nics = Vec::new();
        for card in &self.nics {
            nics.push(self.connect(cx, &placed, card).await?);
        }
        let volume = cx.step(self.root_volume(&placed, image)).await?;
        let account = placed.account;
        let spec = self.spec(&placed, volume, nics);
        let machine = cx
            .step(DefineServer {
                server: self.server,
                account,
                spec,
            })
            .await?;
        if self.start {
            power_up(cx, account, machine).await?;
        }
        Ok(())
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        let (disk_state, next, fault) = match outcome.error() {
            None if self.start => (states::Disk::InUse, states::Server::Running, None),
            None => (states::Disk::InUse, states::Server::Stopped, None),
            Some(error) => (states::Disk::Failed, states::Server::Failed, Some(error.chain())),
        };
        if outcome.error().is_some() {
            address::give_back(tx, self.server).await?;
        }
        set::<disk::Entity>(tx, self.disk, |u| {
            u.col_expr(disk::Column::State, Expr::value(disk_state))
        })
        .await?;
        settle::rest(cx, tx, self.server, next, fault).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![
            ClaimHost,
            StageImage,
            EnsureNetwork,
            LeaseAddress,
            MakeVolume,
            DefineServer,
            PowerOn,
            AwaitPower
        ]
    }
}

impl CreateServer {
    async fn connect(&self, cx: &TaskCx, placed: &Placed, card: &Card) -> Result<Nic> {
        let (account, host) = (placed.account, placed.host_ref.clone());
        let network = cx
            .step(EnsureNetwork {
                network: card.network,
                account,
                host,
            })
            .await?;
        let lease = Lease {
            mac: card.mac.clone(),
            address: card.address.clone(),
            hostname: self.name.clone(),
        };
        cx.step(LeaseAddress {
            account,
            network: network.clone(),
            lease,
        })
        .await?;
        Ok(Nic {
            network,
            mac: card.mac.clone(),
            address: Some(card.address.clone()),
        })
    }

    fn root_volume(&self, placed: &Placed, image: ExternalRef) -> MakeVolume {
        MakeVolume {
            disk: self.disk,
            account: placed.account,
            host: placed.host_ref.clone(),
            storage: placed.storage_name.clone(),
            name: self.disk.to_string(),
            size: self.root,
            image: Some(image),
        }
    }

    fn spec(&self, placed: &Placed, volume: ExternalRef, nics: Vec<Nic>) -> MachineSpec {
        MachineSpec {
            // The server's id, since two projects may use one name.
            name: self.server.to_string(),
            place: crate::clouds::place(&placed.host_ref, Some(&placed.storage_name)),
            shape: self.shape,
            disks: vec![volume],
            nics,
            seed: self.seed.clone(),
            tags: vec![("isobar-server".to_owned(), self.name.clone())],
        }
    }
}
