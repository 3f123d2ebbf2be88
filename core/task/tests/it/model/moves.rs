//! Everything that can happen next: what workers do between two awaits, what people ask, what time and death do.

use types::states::{Task, TaskStep};

use super::world::{At, Cause, Due, Hand, STEPS, Step, UNDO_ATTEMPTS, World};

/// The engine's rules. A test takes one away to see that the model notices.
#[derive(Clone, Copy)]
pub struct Rules {
    pub workers: usize,
    /// The database refuses the writes of a stale worker.
    pub fence: bool,
    /// A step is written down before its effect.
    pub journal_first: bool,
    /// Undo goes by the journal.
    pub undo_by_journal: bool,
    /// A worker whose lease ran out begins no effect.
    pub stops_in_time: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Engine,
    /// A cancel, a retry, an abandon.
    Person,
    Death,
}

pub type Next = (By, &'static str, World);

pub fn all(world: &World, rules: Rules) -> Vec<Next> {
    let mut next = time(world, rules);
    next.extend(people(world));
    for n in 0..world.hands.len() {
        next.extend(Worker { world, rules, n }.moves());
    }
    next
}

fn changed(world: &World, by: By, what: &'static str, change: impl FnOnce(&mut World)) -> Next {
    let mut next = world.clone();
    change(&mut next);
    (by, what, next)
}

/// `claim.rs`, `lease.rs` and the clock.
fn time(world: &World, rules: Rules) -> Vec<Next> {
    let mut next = Vec::new();
    match world.row.due {
        Due::Timer | Due::Lease => next.push(changed(world, By::Engine, "due", |w| w.row.due = Due::Now)),
        Due::Now if world.hands.len() < rules.workers => next.push(changed(world, By::Engine, "claim", claim)),
        _ => {}
    }
    if world.row.due == Due::Now && world.hands.iter().any(|hand| !hand.stale) && world.row.owned {
        next.push(changed(world, By::Engine, "heartbeat", |w| w.row.due = Due::Lease));
    }
    next
}

fn claim(world: &mut World) {
    for hand in &mut world.hands {
        (hand.stale, hand.wrote) = (true, false);
    }
    world.gone_wrote = false;
    (world.row.owned, world.row.due) = (true, Due::Lease);
    if world.row.state == Task::Queued {
        become_state(world, Task::Running);
    }
    let at = match (world.row.state, world.row.error) {
        _ if world.row.abandoned => At::End(Task::Failed),
        (Task::Undoing, Some(cause)) => At::ReadUndo(cause),
        _ => At::Read,
    };
    world.hands.push(Hand {
        at,
        stale: false,
        wrote: false,
        cancel: world.row.cancel,
        abandoned: world.row.abandoned,
        journal: [None; STEPS],
    });
}

/// `journal::become_state` and `control.rs` both ask the product's own table.
fn become_state(world: &mut World, state: Task) {
    if !world.row.state.may_become(state) {
        world.flaw = Some("a move that the table of states does not have");
    }
    world.row.state = state;
}

/// `control.rs`.
fn people(world: &World) -> Vec<Next> {
    let mut next = Vec::new();
    if world.row.state == Task::Queued && !world.row.cancel {
        next.push(changed(world, By::Person, "cancel at once", |w| {
            become_state(w, Task::Cancelled);
            (w.row.due, w.row.hold) = (Due::Never, false);
        }));
    }
    // Of a queued task too, when its end is refused.
    if matches!(world.row.state, Task::Queued | Task::Running) && !world.row.cancel {
        next.push(changed(world, By::Person, "cancel", |w| {
            w.row.cancel = true;
            if !w.row.owned && w.row.due != Due::Never {
                w.row.due = Due::Now;
            }
        }));
    }
    if world.row.state == Task::NeedsOperator {
        next.push(changed(world, By::Person, "abandon", |w| {
            (w.row.abandoned, w.row.due) = (true, Due::Now);
        }));
        next.push(changed(world, By::Person, "retry", |w| {
            let back = if w.row.error.is_some() {
                Task::Undoing
            } else {
                Task::Running
            };
            become_state(w, back);
            w.row.due = Due::Now;
            w.journal.iter_mut().flatten().for_each(|step| step.undo_attempts = 0);
        }));
    }
    next
}

struct Worker<'a> {
    world: &'a World,
    rules: Rules,
    n: usize,
}

impl Worker<'_> {
    fn hand(&self) -> &Hand {
        &self.world.hands[self.n]
    }

    fn moves(&self) -> Vec<Next> {
        let (n, hand) = (self.n, self.hand());
        let mut next = vec![changed(self.world, By::Death, "crash", |w| w.drop_hand(n))];
        if hand.stale {
            next.push(changed(self.world, By::Engine, "lost", |w| w.drop_hand(n)));
        }
        if self.world.row.cancel && !hand.cancel {
            next.push(changed(self.world, By::Engine, "see cancel", |w| {
                w.hands[n].cancel = true
            }));
        }
        next.extend(self.work());
        next
    }

    fn work(&self) -> Vec<Next> {
        match self.hand().at {
            // A journal that does not fit the code needs a person.
            At::Read => vec![self.read(At::Next(0)), self.go(At::Stuck)],
            At::Next(step) => self.next(step),
            At::Effect(step) => self.effect(step),
            At::Keep(step, state) => self.keep(step, state),
            At::Turn(cause) => self.write(At::ReadUndo(cause), move |w| {
                w.row.error = Some(cause);
                advance(w, Task::Undoing)
            }),
            At::ReadUndo(cause) => vec![self.read(At::Undo(STEPS, cause))],
            At::Undo(below, cause) => self.undo(below, cause),
            At::KeepUndone(step, cause) => self.write(At::Undo(step, cause), move |w| {
                let row = w.journal[step]
                    .as_mut()
                    .filter(|row| row.state.may_become(TaskStep::Undone));
                row.map(|row| row.state = TaskStep::Undone).is_some()
            }),
            At::KeepTried(step) => self.tried(step),
            At::End(state) => self.end(state),
            At::Stuck => self.leave(|w, _| {
                advance(w, Task::NeedsOperator);
                w.row.due = Due::Never;
            }),
            At::Back(due) => self.leave(move |w, seen| {
                w.row.due = if w.row.cancel && !seen { Due::Now } else { due };
            }),
        }
    }

    fn go(&self, at: At) -> Next {
        let n = self.n;
        changed(self.world, By::Engine, "go", |w| w.hands[n].at = at)
    }

    fn read(&self, at: At) -> Next {
        let n = self.n;
        changed(self.world, By::Engine, "read", |w| {
            w.hands[n].journal = w.journal;
            w.hands[n].at = at;
        })
    }

    /// A safe point: the journal answers, or the step is written down.
    fn next(&self, step: usize) -> Vec<Next> {
        if step == STEPS {
            return vec![self.go(At::End(Task::Succeeded))];
        }
        let cancelled = self.hand().cancel;
        match self.hand().journal[step].map(|row| row.state) {
            Some(TaskStep::Done) => vec![self.go(At::Next(step + 1))],
            Some(TaskStep::Failed | TaskStep::Undone) => vec![self.go(At::Turn(Cause::Failed))],
            _ if cancelled => vec![self.go(At::Turn(Cause::Cancelled))],
            Some(TaskStep::Started) => vec![self.go(At::Effect(step))],
            None if !self.rules.journal_first => vec![self.go(At::Effect(step))],
            None => {
                let mut next = self.write(At::Effect(step), move |w| started(w, step));
                next.push(self.go(At::Back(Due::Now)));
                next
            }
        }
    }

    /// The effect happens or not, and the answer is: done, never, or later.
    fn effect(&self, step: usize) -> Vec<Next> {
        if self.hand().stale && self.rules.stops_in_time {
            return Vec::new();
        }
        let later = if self.hand().cancel {
            At::Turn(Cause::Cancelled)
        } else {
            At::Back(Due::Timer)
        };
        let ends = [(true, At::Keep(step, TaskStep::Done))];
        let fails = [true, false]
            .into_iter()
            .flat_map(|made| [(made, At::Keep(step, TaskStep::Failed)), (made, later)]);
        let n = self.n;
        let made = |(made, at)| {
            changed(self.world, By::Engine, "effect", |w| {
                w.cloud[step] |= made;
                if made && w.journal[step].is_none() {
                    w.flaw = Some("an effect before its journal row");
                }
                w.hands[n].at = at;
            })
        };
        ends.into_iter().chain(fails).map(made).collect()
    }

    fn keep(&self, step: usize, state: TaskStep) -> Vec<Next> {
        let then = if state == TaskStep::Done {
            At::Next(step + 1)
        } else {
            At::Turn(Cause::Failed)
        };
        self.write(then, move |w| {
            let row = w.journal[step].as_mut().filter(|row| row.state == TaskStep::Started);
            row.map(|row| row.state = state).is_some()
        })
    }

    fn undo(&self, below: usize, cause: Cause) -> Vec<Next> {
        let open = |step: &usize| match self.hand().journal[*step] {
            Some(row) => row.state != TaskStep::Undone,
            None => !self.rules.undo_by_journal,
        };
        let end = match cause {
            Cause::Failed => Task::Failed,
            Cause::Cancelled => Task::Cancelled,
        };
        let Some(step) = (0..below).rev().find(open) else {
            return vec![self.go(At::End(end))];
        };
        if self.hand().stale && self.rules.stops_in_time {
            return Vec::new();
        }
        let n = self.n;
        let undone = changed(self.world, By::Engine, "undo", |w| {
            w.cloud[step] = false;
            if w.journal[step].is_none() {
                w.flaw = Some("an undo of a step that was never started");
            }
            w.hands[n].at = At::KeepUndone(step, cause);
        });
        vec![undone, self.go(At::KeepTried(step)), self.go(At::Back(Due::Now))]
    }

    fn tried(&self, step: usize) -> Vec<Next> {
        let known = self.hand().journal[step].map_or(0, |row| row.undo_attempts);
        let attempts = (known + 1).min(UNDO_ATTEMPTS);
        let then = if attempts == UNDO_ATTEMPTS {
            At::Stuck
        } else {
            At::Back(Due::Timer)
        };
        self.write(then, move |w| {
            w.journal[step]
                .as_mut()
                .map(|row| row.undo_attempts = attempts)
                .is_some()
        })
    }

    /// The last transaction; or `finish` refuses, which turns a success round and stops anything else.
    fn end(&self, state: Task) -> Vec<Next> {
        let mut next = self.leave(move |w, _| {
            if advance(w, state) {
                (w.row.due, w.row.hold) = (Due::Never, false);
            }
        });
        match state {
            Task::Succeeded => next.push(self.go(At::Turn(Cause::Failed))),
            _ if self.hand().abandoned => {}
            _ => next.push(self.go(At::Stuck)),
        }
        next
    }

    /// A fenced transaction: refused, committed, committed without an answer, or not committed at all. `change` says
    /// whether the rows were as it thought; if not, they are read again later.
    fn write(&self, then: At, change: impl Fn(&mut World) -> bool) -> Vec<Next> {
        let n = self.n;
        let accepted = !self.hand().stale && self.world.row.owned;
        if self.rules.fence && !accepted {
            return vec![changed(self.world, By::Engine, "fenced", |w| w.drop_hand(n))];
        }
        let commit = |then| {
            changed(self.world, By::Engine, "write", |w| {
                let before = (w.row.clone(), w.journal);
                if !change(w) {
                    (w.row, w.journal) = before;
                    w.hands[n].at = At::Back(Due::Timer);
                    return;
                }
                wrote(w, n);
                // What one has written one knows.
                w.hands[n].journal = w.journal;
                w.hands[n].at = then;
            })
        };
        vec![
            commit(then),
            commit(At::Back(Due::Timer)),
            self.go(At::Back(Due::Timer)),
        ]
    }

    /// The transaction that lets go of the task; when it fails, the lease runs out.
    fn leave(&self, change: impl Fn(&mut World, bool)) -> Vec<Next> {
        let (n, seen) = (self.n, self.hand().cancel);
        let accepted = !self.hand().stale && self.world.row.owned;
        let failed = changed(self.world, By::Engine, "let go without a word", |w| w.drop_hand(n));
        if self.rules.fence && !accepted {
            return vec![failed];
        }
        let left = changed(self.world, By::Engine, "leave", |w| {
            wrote(w, n);
            w.row.owned = false;
            change(w, seen);
            w.drop_hand(n);
        });
        vec![left, failed]
    }
}

fn started(world: &mut World, step: usize) -> bool {
    let fresh = Step {
        state: TaskStep::Started,
        undo_attempts: 0,
    };
    world.journal[step].replace(fresh).is_none()
}

/// As `journal::become_state`: false, and nothing written, when the table does not have the move.
fn advance(world: &mut World, state: Task) -> bool {
    let may = world.row.state.may_become(state);
    if may {
        world.row.state = state;
    }
    may
}

fn wrote(world: &mut World, n: usize) {
    world.hands[n].wrote = true;
    let writers = world.hands.iter().filter(|hand| hand.wrote).count() + usize::from(world.gone_wrote);
    if writers > 1 {
        world.flaw = Some("two workers wrote under one fence");
    }
}
