//! Measures the engine on one database: `cargo xtask bench tasks`. Prints one JSON object a line.
//! Each task has three steps without effects, so what is measured is the journal: every step is written before and
//! after, and every commit is on disk before the engine goes on.

use std::{
    error::Error,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use auth::Cx;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Store, Tx};
use task::{Engine, Outcome, Registry, Step, StepCx, StepKind, Target, TaskCx, Workflow, row::task as tasks};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use types::{Result, TaskId, Timestamp, states};

type Failure = Box<dyn Error + Send + Sync>;

/// Tasks started in one transaction, as a batch of creates would.
const BATCH: usize = 500;
/// Of the tasks whose start is timed.
const PER_SECOND: u32 = 1000;

/// Tasks that ended since the process began.
static ENDED: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));
/// Microseconds from asking to the first step, for every task.
static WAITS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

#[derive(Serialize, Deserialize)]
struct Nothing {
    seq: u32,
    /// When the task was asked for, in microseconds.
    asked: i64,
}

impl Step for Nothing {
    type Output = ();
    const NAME: &'static str = "nothing";

    async fn run(&self, _: &StepCx) -> Result<()> {
        if self.seq == 0 {
            let waited = Timestamp::now().as_micros() - self.asked;
            let mut waits = WAITS.lock().unwrap_or_else(PoisonError::into_inner);
            waits.push(u64::try_from(waited).unwrap_or_default());
        }
        Ok(())
    }

    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct ThreeSteps {
    asked: i64,
}

impl Workflow for ThreeSteps {
    const NAME: &'static str = "three-steps";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        for seq in 0..3 {
            cx.step(Nothing { seq, asked: self.asked }).await?;
        }
        Ok(())
    }

    async fn finish(&self, _: &Cx, _: &mut Tx, _: &Outcome) -> Result<()> {
        ENDED.send_modify(|count| *count += 1);
        Ok(())
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Nothing]
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [url, count, waiting] = words.as_slice() else {
        return Err("tasks URL COUNT WAITING".into());
    };
    let (count, waiting) = (count.parse()?, waiting.parse()?);
    let store = Store::open(url).await?;
    store.migrate(task::MIGRATIONS).await?;
    wait_for_ever(&store, waiting).await?;
    throughput(&store, count).await?;
    latency(&store, count / 5).await?;
    let over = tasks::Entity::find().filter(tasks::Column::State.eq(states::Task::Succeeded));
    let over = store.count(over).await?;
    if over != (count + count / 5) as u64 {
        return Err(format!("{over} tasks ended, not {}", count + count / 5).into());
    }
    Ok(())
}

/// All are queued before the engine begins.
async fn throughput(store: &Store, count: usize) -> std::result::Result<(), Failure> {
    let mut left = count;
    while left > 0 {
        let mut tx = store.begin().await?;
        for _ in 0..left.min(BATCH) {
            start(&mut tx).await?;
        }
        tx.commit().await?;
        left = left.saturating_sub(BATCH);
    }
    let seconds = Run::new(store).until(count).await?.as_secs_f64();
    println!(
        "{}",
        json!({ "measure": "throughput", "tasks": count, "seconds": seconds })
    );
    Ok(())
}

/// One task each millisecond, each in a transaction of its own, as requests come in.
async fn latency(store: &Store, count: usize) -> std::result::Result<(), Failure> {
    let before = WAITS.lock().unwrap_or_else(PoisonError::into_inner).len();
    let run = Run::new(store);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..count {
        ticks.tick().await;
        let store = store.clone();
        starts.spawn(async move {
            let mut tx = store.begin().await?;
            start(&mut tx).await?;
            tx.commit().await
        });
    }
    while let Some(started) = starts.join_next().await {
        started??;
    }
    run.until(count).await?;
    let mut waits = WAITS.lock().unwrap_or_else(PoisonError::into_inner).split_off(before);
    waits.sort_unstable();
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or_default();
    println!(
        "{}",
        json!({ "measure": "latency", "tasks": count, "p50_us": at(50), "p99_us": at(99) })
    );
    Ok(())
}

/// Tasks that wait for a timer a day away: what a busy controller has many of.
async fn wait_for_ever(store: &Store, count: usize) -> Result<()> {
    let cx = cx();
    let mut left = count;
    while left > 0 {
        let rows = left.min(10_000);
        let tx = store.begin().await?;
        tx.insert_all((0..rows).map(|n| parked(&cx, n)).collect()).await?;
        tx.commit().await?;
        left -= rows;
    }
    Ok(())
}

fn parked(cx: &Cx, n: usize) -> tasks::ActiveModel {
    tasks::ActiveModel {
        id: Set(TaskId::new()),
        kind: Set(ThreeSteps::NAME.to_owned()),
        state: Set(states::Task::Running),
        resource_noun: Set("bench".to_owned()),
        resource_id: Set(n.to_string()),
        resource_name: Set(n.to_string()),
        params: Set(types::Json(json!({ "asked": 0 }))),
        who: Set(types::Json(cx.who().clone())),
        request_id: Set("req-bench".to_owned()),
        cancel_requested: Set(false),
        abandoned: Set(false),
        fence: Set(1),
        due_at: Set(Some(Timestamp::now() + Duration::from_secs(86_400))),
        created_at: Set(Timestamp::now()),
        ..Default::default()
    }
}

fn cx() -> Cx {
    Cx::service("bench", "req-bench")
}

async fn start(tx: &mut Tx) -> Result<()> {
    let asked = Timestamp::now().as_micros();
    let id = TaskId::new().to_string();
    let target = Target {
        noun: "bench",
        name: id.clone(),
        id,
        owner: None,
    };
    task::start(&cx(), tx, &ThreeSteps { asked }, target).await.map(drop)
}

/// An engine at work until `count` more tasks ended; how long that took.
struct Run {
    begun: Instant,
    ended: usize,
    stop: CancellationToken,
    working: tokio::task::JoinHandle<()>,
}

impl Run {
    fn new(store: &Store) -> Self {
        let engine = Engine::builder(store.clone(), Registry::new().add::<ThreeSteps>()).build();
        let stop = CancellationToken::new();
        let working = tokio::spawn({
            let stop = stop.clone();
            async move { engine.run(stop).await }
        });
        Self {
            begun: Instant::now(),
            ended: *ENDED.borrow(),
            stop,
            working,
        }
    }

    /// The last commits are waited for too.
    async fn until(self, count: usize) -> std::result::Result<Duration, Failure> {
        let wanted = self.ended + count;
        ENDED.subscribe().wait_for(|ended| *ended >= wanted).await?;
        self.stop.cancel();
        self.working.await?;
        Ok(self.begun.elapsed())
    }
}
