//! Toy workflows: they make things, wait, and give things up.

mod dozing;
mod ends;
mod family;
mod refused;

use std::time::Duration;

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{Event, Tx};
use task::{Outcome, Registry, Step, StepCx, StepKind, TaskCx, Workflow};
use types::{Error, Kind, Result};

use crate::world::Cloud;

pub use dozing::{Dozing, Limited};
pub use ends::Ends;
pub use family::Family;
pub use refused::{Guarded, Unending};

pub fn registry() -> Registry {
    Registry::new()
        .add::<Build>()
        .add::<Gated>()
        .add::<Fallback>()
        .add::<Guarded>()
        .add::<Unending>()
        .add::<Family>()
        .add::<Dozing>()
        .add::<Limited>()
        .add::<Ends>()
}

/// Makes one thing.
#[derive(Serialize, Deserialize)]
pub struct Make {
    pub name: String,
}

impl Step for Make {
    type Output = String;
    const NAME: &'static str = "make";

    async fn run(&self, cx: &StepCx) -> Result<String> {
        let token = cx.token().to_owned();
        assert!(
            token.len() <= 64
                && token
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
        cx.get::<Cloud>().change(|inner| {
            inner.calls.push(format!("make {}", self.name));
            if let Some(error) = inner.errors.get_mut(&self.name).and_then(|errors| errors.pop()) {
                return Err(error);
            }
            inner.things.insert(token.clone(), self.name.clone());
            Ok(token)
        })
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        let token = cx.token().to_owned();
        if let Some(made) = cx.output::<String>()? {
            assert_eq!(made, token);
        }
        cx.get::<Cloud>().change(|inner| {
            inner.calls.push(format!("unmake {}", self.name));
            let key = format!("unmake {}", self.name);
            if let Some(error) = inner.errors.get_mut(&key).and_then(|errors| errors.pop()) {
                return Err(error);
            }
            inner.things.remove(&token);
            Ok(())
        })
    }
}

/// Waits, in the database, until it was looked at three times.
#[derive(Serialize, Deserialize)]
pub struct Settle;

impl Step for Settle {
    type Output = ();
    const NAME: &'static str = "settle";

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let looks = cx.get::<Cloud>().change(|inner| {
            inner.calls.push("settle".to_owned());
            inner.calls.iter().filter(|call| *call == "settle").count()
        });
        assert!(cx.attempt() <= 2, "parks are not failures");
        if looks < 3 {
            Err(cx.park(Duration::from_millis(5)))
        } else {
            Ok(())
        }
    }

    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

/// A change of rows alone: an event that is written exactly once.
#[derive(Serialize, Deserialize)]
pub struct Record;

impl Step for Record {
    type Output = u32;
    const NAME: &'static str = "record";

    async fn run(&self, cx: &StepCx) -> Result<u32> {
        let mut tx = cx.tx().await?;
        tx.event(cx.cx(), note("thing.recorded", cx)).await?;
        cx.commit(tx, &7).await?;
        Ok(7)
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        if cx.output::<u32>()?.is_none() {
            return Ok(());
        }
        let mut tx = cx.tx().await?;
        tx.event(cx.cx(), note("thing.unrecorded", cx)).await?;
        cx.commit(tx, &()).await
    }
}

fn note(kind: &str, cx: &StepCx) -> Event {
    Event {
        kind: kind.to_owned(),
        id: cx.task().to_string(),
        name: String::new(),
        owner: None,
        data: serde_json::Value::Null,
    }
}

/// Waits in memory until the test opens the gate, or the task is cancelled.
#[derive(Serialize, Deserialize)]
pub struct Gate {
    pub interruptible: bool,
}

impl Step for Gate {
    type Output = ();
    const NAME: &'static str = "gate";

    fn interruptible(&self) -> bool {
        self.interruptible
    }

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.get::<Cloud>();
        cloud.change(|inner| inner.calls.push("gate".to_owned()));
        let _left = Left(cloud);
        let mut open = cloud.open.subscribe();
        tokio::select! {
            _ = open.wait_for(|open| *open) => Ok(()),
            () = cx.cancelled().cancelled_owned() => Err(Error::new(Kind::Cancelled, "interrupted")),
        }
    }

    async fn undo(&self, cx: &StepCx) -> Result<()> {
        cx.get::<Cloud>().change(|inner| inner.calls.push("ungate".to_owned()));
        Ok(())
    }
}

/// Tells when a worker is not at the gate any more, however it went.
struct Left<'a>(&'a Cloud);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.change(|inner| inner.calls.push("left the gate".to_owned()));
    }
}

/// Three things, a wait and a record.
#[derive(Serialize, Deserialize)]
pub struct Build {
    pub things: Vec<String>,
}

impl Build {
    pub fn three() -> Self {
        Self {
            things: ["a", "b", "c"].map(str::to_owned).to_vec(),
        }
    }
}

impl Workflow for Build {
    const NAME: &'static str = "build";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        for name in &self.things {
            cx.progress(format!("making {name}")).await;
            let token = cx.step(Make { name: name.clone() }).await?;
            assert!(token.starts_with(&cx.id().to_string()));
        }
        cx.step(Settle).await?;
        assert_eq!(cx.step(Record).await?, 7);
        Ok(())
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        finish(cx, tx, outcome).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Make, Settle, Record]
    }
}

/// One thing, the gate, and another thing.
async fn through_the_gate(cx: &TaskCx, interruptible: bool) -> Result<()> {
    cx.step(Make { name: "a".to_owned() }).await?;
    cx.step(Gate { interruptible }).await?;
    cx.step(Make { name: "b".to_owned() }).await.map(drop)
}

/// Waits at the gate.
#[derive(Serialize, Deserialize)]
pub struct Gated {
    pub interruptible: bool,
}

impl Workflow for Gated {
    const NAME: &'static str = "gated";

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

/// Tries `first`; when that fails makes `second`.
#[derive(Serialize, Deserialize)]
pub struct Fallback;

impl Workflow for Fallback {
    const NAME: &'static str = "fallback";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        match cx
            .step(Make {
                name: "first".to_owned(),
            })
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::Capacity => cx
                .step(Make {
                    name: "second".to_owned(),
                })
                .await
                .map(drop),
            Err(error) => Err(error),
        }
    }

    async fn finish(&self, cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
        finish(cx, tx, outcome).await
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Make]
    }
}

/// The end writes an event of its own, so that tests see that it happens once.
async fn finish(cx: &Cx, tx: &mut Tx, outcome: &Outcome) -> Result<()> {
    let what = match outcome {
        Outcome::Succeeded => "thing.made",
        Outcome::Failed(_) => "thing.failed",
        Outcome::Cancelled(_) => "thing.cancelled",
    };
    let event = Event {
        kind: what.to_owned(),
        id: "thing".to_owned(),
        name: String::new(),
        owner: None,
        data: serde_json::Value::Null,
    };
    tx.event(cx, event).await
}
