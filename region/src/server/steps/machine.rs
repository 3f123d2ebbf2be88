//! The machine itself: defined, switched, awaited, removed.

use std::time::Duration;

use contract::{Cloud, MachineSpec, Token, compute::Stop};
use serde::{Deserialize, Serialize};
use store::sea_orm::sea_query::Expr;
use task::{Step, StepCx, TaskCx};
use types::{AccountId, Error, ExternalRef, Kind, Result, ServerId, Timestamp, states::Power};

use crate::{
    clouds::{StepClouds, family, settled},
    disk::operation::{Handle, handle},
    server,
    swap::set,
};

/// How often a machine's power is looked at while something waits for it.
const LOOK: Duration = Duration::from_millis(500);
/// The longest time between two looks where a change wakes the task (`crate::watch`): the net under a lost hint.
const NET: Duration = Duration::from_secs(5);

/// When to look again after having waited so long.
fn later(cloud: &dyn Cloud, waited: Duration) -> Duration {
    match cloud.changes() {
        Some(_) => waited.clamp(LOOK, NET),
        None => LOOK,
    }
}

/// Define the machine with its disks, cards and seed; it stays off.
#[derive(Serialize, Deserialize)]
pub struct DefineServer {
    pub server: ServerId,
    pub account: AccountId,
    pub spec: MachineSpec,
}

impl Step for DefineServer {
    type Output = ExternalRef;
    const NAME: &'static str = "define-server";

    async fn run(&self, cx: &StepCx) -> Result<ExternalRef> {
        let cloud = cx.cloud(self.account).await?;
        let compute = family(cloud.compute(), "servers")?;
        let machine = settled(
            cx,
            compute.create(&cx.call(), &self.spec, &Token::new(cx.token())).await?,
        )?;
        let tx = cx.tx().await?;
        set::<server::Entity>(&tx, self.server, |u| {
            u.col_expr(server::Column::ExternalId, Expr::value(machine.clone()))
        })
        .await?;
        cx.commit(tx, &machine).await?;
        Ok(machine)
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let compute = family(cloud.compute(), "servers")?;
        if let Some(machine) = compute.find(&cx.call(), &Token::new(cx.token())).await? {
            settled(cx, compute.delete(&cx.call(), &machine.id).await?)?;
        }
        let tx = cx.tx().await?;
        set::<server::Entity>(&tx, self.server, |u| {
            u.col_expr(server::Column::ExternalId, Expr::value(None::<String>))
        })
        .await?;
        cx.commit(tx, &()).await
    }
}

/// Switch it on.
#[derive(Serialize, Deserialize)]
pub struct PowerOn {
    pub account: AccountId,
    pub machine: ExternalRef,
}

impl Step for PowerOn {
    type Output = ();
    const NAME: &'static str = "power-on";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        settled(
            cx,
            family(cloud.compute(), "servers")?
                .start(&cx.call(), &self.machine)
                .await?,
        )
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let off = family(cloud.compute(), "servers")?
            .stop(&cx.call(), &self.machine, Stop::Hard)
            .await;
        gone_is_fine(off.and_then(|op| settled(cx, op)))
    }
}

/// Switch it off: ask the guest, and cut the power when it takes longer than `patience`.
#[derive(Serialize, Deserialize)]
pub struct PowerOff {
    pub account: AccountId,
    pub machine: ExternalRef,
    /// Zero cuts the power at once.
    pub patience_seconds: u32,
}

impl Step for PowerOff {
    type Output = ();
    const NAME: &'static str = "power-off";

    fn limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.patience_seconds) + 120)
    }

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let compute = family(cloud.compute(), "servers")?;
        let machine = compute.get(&cx.call(), &self.machine).await?;
        if matches!(machine.power, Power::Off | Power::Crashed) {
            return Ok(());
        }
        let waited = Timestamp::now().since(cx.started_at());
        let patience = Duration::from_secs(self.patience_seconds.into());
        if waited >= patience {
            return settled(cx, compute.stop(&cx.call(), &self.machine, Stop::Hard).await?);
        }
        // Asking again does no harm, and a guest that was still booting did not hear the first time.
        let wait = later(cloud.as_ref(), waited);
        if wait > LOOK || waited.as_secs().is_multiple_of(5) {
            compute.stop(&cx.call(), &self.machine, Stop::Soft).await?;
        }
        Err(cx.park(wait.min(patience.saturating_sub(waited))))
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let on = family(cloud.compute(), "servers")?
            .start(&cx.call(), &self.machine)
            .await;
        gone_is_fine(on.and_then(|op| settled(cx, op)))
    }
}

/// Restart it: by the guest when soft, by the cloud when hard.
#[derive(Serialize, Deserialize)]
pub struct Restart {
    pub account: AccountId,
    pub machine: ExternalRef,
    pub how: Stop,
}

impl Step for Restart {
    /// The operation to wait for, where the cloud goes on after it answered: asking again would restart again.
    type Output = Handle;
    const NAME: &'static str = "restart";

    async fn run(&self, cx: &StepCx) -> Result<Handle> {
        let cloud = cx.cloud(self.account).await?;
        let reboot = family(cloud.compute(), "servers")?
            .reboot(&cx.call(), &self.machine, self.how)
            .await?;
        Ok(handle(reboot))
    }

    /// A restart cannot be taken back.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// Switches a machine on and waits until it is.
pub async fn power_up(cx: &TaskCx, account: AccountId, machine: ExternalRef) -> Result<()> {
    let on = PowerOn {
        account,
        machine: machine.clone(),
    };
    cx.step(on).await?;
    let power = Power::On;
    cx.step(AwaitPower {
        account,
        machine,
        power,
    })
    .await
}

/// Wait until the cloud shows this power state.
#[derive(Serialize, Deserialize)]
pub struct AwaitPower {
    pub account: AccountId,
    pub machine: ExternalRef,
    pub power: Power,
}

impl Step for AwaitPower {
    type Output = ();
    const NAME: &'static str = "await-power";

    fn limit(&self) -> Duration {
        Duration::from_secs(120)
    }

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        let machine = family(cloud.compute(), "servers")?
            .get(&cx.call(), &self.machine)
            .await?;
        match machine.power {
            power if power == self.power => Ok(()),
            Power::Crashed => Err(Error::new(Kind::Broken, "the guest crashed while it started").code("guest_crashed")),
            _ => Err(cx.park(later(cloud.as_ref(), Timestamp::now().since(cx.started_at())))),
        }
    }

    /// Looking changes nothing.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// Remove the machine; its disks stay.
#[derive(Serialize, Deserialize)]
pub struct RemoveMachine {
    pub account: AccountId,
    pub machine: ExternalRef,
}

impl Step for RemoveMachine {
    type Output = ();
    const NAME: &'static str = "remove-machine";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        settled(
            cx,
            family(cloud.compute(), "servers")?
                .delete(&cx.call(), &self.machine)
                .await?,
        )
    }

    /// A deletion that began is finished, not taken back: the row says failed and may be deleted again.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

fn gone_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind == Kind::NotFound => Ok(()),
        other => other,
    }
}
