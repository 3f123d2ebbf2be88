//! The engine's states, all of them: two workers, two steps, death and lost answers everywhere, people at any time.
//!
//! The tables of states are the product's own.

mod moves;
mod search;
mod world;

use types::states::Task;

use moves::{By, Rules};
use search::Space;
use world::{Due, World};

const RULES: Rules = Rules {
    workers: 2,
    fence: true,
    journal_first: true,
    undo_by_journal: true,
    stops_in_time: true,
};

fn over(world: &World) -> bool {
    world.row.state.is_over()
}

fn over_or_a_persons(world: &World) -> bool {
    over(world) || (world.row.state == Task::NeedsOperator && world.row.due == Due::Never)
}

fn broken_with(rules: Rules) -> &'static str {
    Space::explore(rules).err().expect("the model does not notice").0
}

#[test]
fn every_state_has_an_exit_and_every_end_is_one() {
    let space = Space::explore(RULES).unwrap_or_else(|(why, path)| panic!("{why}:\n{path}"));
    println!("{} states", space.worlds.len());
    assert!(space.worlds.len() > 10_000, "only {} states", space.worlds.len());
    let alone = space.without_exit(&[By::Engine], over_or_a_persons);
    assert!(
        alone.is_empty(),
        "{} states wait for nobody: {:#?}",
        alone.len(),
        alone[0]
    );
    let helped = space.without_exit(&[By::Engine, By::Person], over);
    assert!(
        helped.is_empty(),
        "{} states have no exit: {:#?}",
        helped.len(),
        helped[0]
    );
    only_moves_of_the_table(&space);
}

/// An end is left by nothing, and what the table allows is what happens.
fn only_moves_of_the_table(space: &Space) {
    let happen = space.changes();
    let left = happen
        .iter()
        .filter(|(from, _)| from.parse::<Task>().unwrap().is_over());
    assert_eq!(left.count(), 0, "an end that is none: {happen:?}");
    let allowed = Task::ALL
        .iter()
        .flat_map(|from| from.next().iter().map(|to| (from.as_str(), to.as_str())));
    let never: Vec<_> = allowed.filter(|change| !happen.contains(change)).collect();
    assert_eq!(never, []);
}

#[test]
fn without_the_fence_two_workers_write() {
    assert_eq!(
        broken_with(Rules { fence: false, ..RULES }),
        "two workers wrote under one fence"
    );
}

#[test]
fn without_the_journal_first_an_effect_is_forgotten() {
    assert_eq!(
        broken_with(Rules {
            journal_first: false,
            ..RULES
        }),
        "an effect before its journal row"
    );
}

#[test]
fn without_the_journal_undo_undoes_what_never_was() {
    let why = broken_with(Rules {
        undo_by_journal: false,
        ..RULES
    });
    assert_eq!(why, "an undo of a step that was never started");
}

/// The fence guards rows, not clouds: this is why a worker drops its task when its lease ends.
#[test]
fn a_worker_that_goes_on_after_its_lease_leaks() {
    assert_eq!(
        broken_with(Rules {
            stops_in_time: false,
            ..RULES
        }),
        "a leak"
    );
}
