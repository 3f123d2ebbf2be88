//! Workflows that wait: until somebody wakes them, or longer than they may.

use std::time::Duration;

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::Tx;
use task::{Outcome, Step, StepCx, StepKind, TaskCx, Workflow};
use types::Result;

use super::{Gate, Make, finish, through_the_gate};
use crate::world::Cloud;

/// Parks for an hour each time it looks, and ends when it has looked so often. The first look wakes its own task.
#[derive(Serialize, Deserialize)]
pub struct Doze {
    pub looks: usize,
}

impl Step for Doze {
    type Output = ();
    const NAME: &'static str = "doze";

    fn limit(&self) -> Duration {
        Duration::from_secs(36_000)
    }

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let looks = cx.get::<Cloud>().change(|inner| {
            inner.calls.push("doze".to_owned());
            inner.calls.len()
        });
        if looks == 1 {
            let mut tx = cx.store().begin().await?;
            task::wake(&mut tx, cx.task()).await?;
            tx.commit().await?;
        }
        if looks >= self.looks {
            return Ok(());
        }
        Err(cx.park(Duration::from_secs(3600)))
    }

    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// Sleeps until it is woken.
#[derive(Serialize, Deserialize)]
pub struct Dozing {
    pub limit: Duration,
    pub looks: usize,
}

impl Workflow for Dozing {
    const NAME: &'static str = "dozing";

    fn limit(&self) -> Duration {
        self.limit
    }

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.step(Doze { looks: self.looks }).await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        finish(cx, tx, outcome).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Doze]
    }
}

/// As [`super::Gated`], with a limit.
#[derive(Serialize, Deserialize)]
pub struct Limited {
    pub interruptible: bool,
    pub limit: Duration,
}

impl Workflow for Limited {
    const NAME: &'static str = "limited";

    fn limit(&self) -> Duration {
        self.limit
    }

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        through_the_gate(cx, self.interruptible).await
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        finish(cx, tx, outcome).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Make, Gate]
    }
}
