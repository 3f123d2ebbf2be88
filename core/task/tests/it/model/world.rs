//! The model's state: one task's rows, what exists in the cloud, and the workers that believe the task is theirs.
//!
//! Fences are relative: a hand is stale once somebody claimed after it. Workers have no names, so hands are kept sorted.

use std::hash::{DefaultHasher, Hash, Hasher};

use types::states::{Task, TaskStep};

pub const STEPS: usize = 2;
/// After so many failed undos a person must look.
pub const UNDO_ATTEMPTS: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    Failed,
    Cancelled,
}

/// `due_at`, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Due {
    Never,
    Timer,
    Lease,
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    pub state: TaskStep,
    pub undo_attempts: u8,
}

pub type Journal = [Option<Step>; STEPS];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub state: Task,
    pub due: Due,
    /// Somebody has it: a hand that is not stale, or a process that died.
    pub owned: bool,
    pub cancel: bool,
    pub abandoned: bool,
    pub error: Option<Cause>,
    /// The resource is held.
    pub hold: bool,
}

/// Where a worker is; each is one await of `engine/drive.rs`, `attempt.rs`, `undo.rs` or `finish.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    Read,
    Next(usize),
    Effect(usize),
    Keep(usize, TaskStep),
    Turn(Cause),
    ReadUndo(Cause),
    Undo(usize, Cause),
    KeepUndone(usize, Cause),
    KeepTried(usize),
    End(Task),
    Stuck,
    Back(Due),
}

/// One claim, as its worker sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hand {
    pub at: At,
    pub stale: bool,
    /// It wrote since the last claim by anybody.
    pub wrote: bool,
    pub cancel: bool,
    /// As claimed.
    pub abandoned: bool,
    /// The journal as read, while it matters.
    pub journal: Journal,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub row: Row,
    pub journal: Journal,
    /// What each step made, by token.
    pub cloud: [bool; STEPS],
    pub hands: Vec<Hand>,
    /// A worker that is gone wrote since the last claim.
    pub gone_wrote: bool,
    /// A property that was broken on the way here.
    pub flaw: Option<&'static str>,
}

impl World {
    pub fn start() -> Self {
        let row = Row {
            state: Task::Queued,
            due: Due::Now,
            owned: false,
            cancel: false,
            abandoned: false,
            error: None,
            hold: true,
        };
        Self {
            row,
            journal: [None; STEPS],
            cloud: [false; STEPS],
            hands: Vec::new(),
            gone_wrote: false,
            flaw: None,
        }
    }

    pub fn drop_hand(&mut self, n: usize) {
        self.gone_wrote |= self.hands.remove(n).wrote;
    }

    /// The same for every order of the workers and for all they know and do not use any more.
    pub fn plain(mut self) -> Self {
        for hand in &mut self.hands {
            if !matches!(hand.at, At::Next(_) | At::Undo(..) | At::KeepTried(_)) {
                hand.journal = [None; STEPS];
            }
        }
        if self.hands.len() > 1 {
            self.hands.sort_by_cached_key(|hand| {
                let mut hasher = DefaultHasher::new();
                hand.hash(&mut hasher);
                hasher.finish()
            });
        }
        self
    }

    /// What must hold in every reachable state.
    pub fn broken(&self) -> Option<&'static str> {
        let over = self.row.state.is_over();
        let made = self.cloud.iter().filter(|made| **made).count();
        if self.flaw.is_some() {
            return self.flaw;
        }
        if self.row.hold == over {
            return Some("the hold does not end with the task");
        }
        match self.row.state {
            Task::Succeeded if made != STEPS => Some("a success without all its effects"),
            Task::Failed | Task::Cancelled if made != 0 && !self.row.abandoned => Some("a leak"),
            _ => None,
        }
    }
}
