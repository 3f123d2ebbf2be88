//! Group commit on SQLite: transactions that follow each other closely share one write to the disk.
//!
//! The one connection that writes keeps a transaction open while others wait for their turn; each of them is a
//! savepoint in it. Whoever ends his turn with nobody waiting behind him commits for all, and each hears of success only
//! when his changes are on disk. A later one sees what an earlier one did before that, and shares its fate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, ExecResult, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMutexGuard, oneshot},
    time::timeout,
};
use types::{Error, Result};

use crate::fault;

/// Most transactions that share a commit, and how long the first of them may wait for it.
const MOST: usize = 64;
const LONGEST: Duration = Duration::from_millis(5);
/// How long to wait for a turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// The connection that writes, and who uses it.
pub(crate) struct Group {
    write: DatabaseConnection,
    open: Arc<Mutex<Option<Open>>>,
    waiting: AtomicUsize,
    names: AtomicU64,
}

/// A transaction that is open on the connection.
struct Open {
    outer: Arc<DatabaseTransaction>,
    /// Who waits for the commit.
    members: Vec<oneshot::Sender<Result<()>>>,
    since: Instant,
}

type Turn = OwnedMutexGuard<Option<Open>>;

/// One transaction of the group. Dropping it undoes it.
pub(crate) struct Member {
    /// Dropped before the turn ends: whoever commits for all must be the last who has it.
    pub outer: Arc<DatabaseTransaction>,
    part: Part,
}

/// A member's place in the group.
struct Part {
    name: u64,
    group: Arc<Group>,
    /// None when it is over.
    turn: Option<Turn>,
}

impl Group {
    pub fn new(write: DatabaseConnection) -> Arc<Self> {
        Arc::new(Self {
            write,
            open: Arc::default(),
            waiting: AtomicUsize::new(0),
            names: AtomicU64::new(0),
        })
    }

    pub async fn begin(self: &Arc<Self>) -> Result<Member> {
        let mut turn = self.turn().await?;
        let outer = match &*turn {
            Some(open) => open.outer.clone(),
            None => {
                let open = Open::new(&self.write).await?;
                turn.insert(open).outer.clone()
            }
        };
        let member = Member {
            outer,
            part: Part {
                name: self.names.fetch_add(1, Ordering::Relaxed),
                group: self.clone(),
                turn: Some(turn),
            },
        };
        let begun = member.run("SAVEPOINT").await;
        begun.map_err(|e| fault("beginning a transaction", e))?;
        Ok(member)
    }

    async fn turn(self: &Arc<Self>) -> Result<Turn> {
        let mut waits = Waits::new(self.clone());
        let turn = timeout(PATIENCE, self.open.clone().lock_owned()).await;
        let turn = turn.map_err(|_| Error::unavailable("the database was busy for 30 s"))?;
        waits.over = true;
        Ok(turn)
    }

    /// Ends a turn: the next one goes on in the same transaction, or it is committed, in a task of its own because a
    /// caller that goes away must not take the others' commit with it.
    fn leave(self: &Arc<Self>, turn: Turn) {
        let full = turn
            .as_ref()
            .is_none_or(|open| open.members.len() >= MOST || open.since.elapsed() >= LONGEST);
        if full || self.waiting.load(Ordering::SeqCst) == 0 {
            aside(close(turn));
        }
    }
}

impl Open {
    async fn new(write: &DatabaseConnection) -> Result<Self> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let outer = write.begin_with_options(options).await;
        Ok(Self {
            outer: Arc::new(outer.map_err(|e| fault("beginning a transaction", e))?),
            members: Vec::new(),
            since: Instant::now(),
        })
    }
}

/// Commits for all members.
async fn close(mut turn: Turn) {
    let Some(Open { outer, members, .. }) = turn.take() else {
        return;
    };
    let result = match Arc::into_inner(outer) {
        Some(outer) => outer.commit().await.map_err(|e| fault("committing", e)),
        None => Err(Error::unavailable(
            "a transaction was still in use when it was to be committed",
        )),
    };
    drop(turn);
    for member in members {
        // Who does not listen any more went away.
        let _ = member.send(result.clone());
    }
}

/// Nothing is left to do when the process ends: what is not committed is undone.
fn aside(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(work);
    }
}

impl Member {
    async fn run(&self, verb: &str) -> std::result::Result<ExecResult, DbErr> {
        self.outer
            .execute_unprepared(&format!("{verb} m{}", self.part.name))
            .await
    }

    /// Resolves when the changes are on disk, or not.
    pub async fn commit(self) -> Result<()> {
        self.run("RELEASE").await.map_err(|e| fault("committing", e))?;
        let Self { outer, mut part } = self;
        drop(outer);
        let (tell, hears) = oneshot::channel();
        if let Some(mut turn) = part.turn.take() {
            if let Some(open) = &mut *turn {
                open.members.push(tell);
            }
            part.group.leave(turn);
        }
        let unknown = Err(Error::unavailable("the process ended while the database committed"));
        hears.await.unwrap_or(unknown)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            aside(undo(self.group.clone(), turn, self.name));
        }
    }
}

/// Takes back what one member did. When that cannot be done the whole transaction is given up.
async fn undo(group: Arc<Group>, mut turn: Turn, name: u64) {
    let Some(open) = &*turn else { return };
    let back = format!("ROLLBACK TO m{name}; RELEASE m{name}");
    match open.outer.execute_unprepared(&back).await {
        Ok(_) => {}
        Err(error) if is_over(&error) => {}
        Err(error) => {
            let error = fault("undoing", error);
            tracing::error!(error = error.chain(), "what was written together is given up together");
            let members = turn.take().map(|open| open.members).unwrap_or_default();
            for member in members {
                let _ = member.send(Err(error.clone()));
            }
        }
    }
    group.leave(turn);
}

/// Its caller went away before the savepoint was made, or after it was released.
fn is_over(error: &DbErr) -> bool {
    error.to_string().contains("no such savepoint")
}

/// Counts those who wait. One that gives up may be the one for whom the others' commit was put off.
struct Waits {
    group: Arc<Group>,
    /// It has its turn.
    over: bool,
}

impl Waits {
    fn new(group: Arc<Group>) -> Self {
        group.waiting.fetch_add(1, Ordering::SeqCst);
        Self { group, over: false }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let last = self.group.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && !self.over {
            let group = self.group.clone();
            aside(async move {
                let turn = group.open.clone().lock_owned().await;
                group.leave(turn);
            });
        }
    }
}
