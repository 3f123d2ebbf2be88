//! A workflow with children.

use std::time::Duration;

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::Tx;
use task::{Child, Join, Outcome, Policy, Spawn, StepKind, TaskCx, Workflow};
use types::Result;

use super::{Build, Gated, Make, finish};
use crate::world::target;

/// One thing, then children, then one thing more.
#[derive(Serialize, Deserialize)]
pub struct Family {
    pub policy: Policy,
    pub limit: Duration,
    /// One [`Build`] of one thing for each.
    pub built: Vec<String>,
    /// One [`Gated`] for each.
    pub gated: Vec<String>,
}

impl Family {
    pub fn children(&self) -> Vec<Child> {
        let built = self.built.iter().map(|name| {
            let things = vec![name.clone()];
            Child::of(&Build { things }, target(name)).unwrap()
        });
        let gated = self.gated.iter().map(|name| {
            let gated = Gated { interruptible: true };
            Child::of(&gated, target(name)).unwrap()
        });
        built.chain(gated).collect()
    }
}

impl Workflow for Family {
    const NAME: &'static str = "family";

    fn limit(&self) -> Duration {
        self.limit
    }

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        let make = |name: &str| Make { name: name.to_owned() };
        cx.step(make("first")).await?;
        let children = cx.spawn(self.children()).await?;
        assert_eq!(children.len(), self.built.len() + self.gated.len());
        cx.join(self.policy).await?;
        cx.step(make("last")).await.map(drop)
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        finish(cx, tx, outcome).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Make, Spawn, Join]
    }
}
