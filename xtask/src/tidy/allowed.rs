//! Every exception to the rules, with its reason. One that nothing needs any more is itself a finding.

use super::Finding;
use crate::tree::Tree;

/// Framework modules that open with an essay, because their idea lives there.
pub const ESSAYS: &[&str] = &[
    "apigateway/src/lib.rs",
    "core/store/src/lib.rs",
    "core/task/src/children.rs",
    "core/task/src/lib.rs",
    "core/task/src/testing.rs",
    "core/web/src/lib.rs",
    "core/web/src/noun.rs",
    "drivers/contract/src/lib.rs",
    "region/tests/it/site.rs",
    "scheduler/engine/src/lib.rs",
    "scheduler/src/claim.rs",
    "sdk/rust/src/lib.rs",
];

/// Code that waits for something which tells nobody when it is done. Threads of their own, never the runtime's.
pub const SLEEPS: &[&str] = &[
    // A child process: std can only be asked.
    "drivers/kvm/src/agent/process.rs",
    // A guest letting go of a disk, on a thread that libvirt calls block anyway.
    "drivers/kvm/src/agent/attach.rs",
    // A helper that looks again until a level is reached, or fails: what tests use in place of sleeping.
    "drivers/kvm/tests/lab/mod.rs",
    "tests/e2e/kit.rs",
    // Processes under measurement.
    "xtask/src/bench/wait.rs",
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let gone = |path: &&&str| tree.get(path).is_none();
    let here = "xtask/src/tidy/allowed.rs";
    let finding = |path: &&str| {
        let line = tree.get(here).map_or(1, |text| super::line_of(text, path));
        Finding::new(
            here,
            line,
            format!("{path} is an exception and does not exist"),
            "delete its line here",
        )
    };
    // Samples and other trees have no list to keep.
    match tree.get(here) {
        Some(_) => ESSAYS.iter().chain(SLEEPS).filter(gone).map(finding).collect(),
        None => Vec::new(),
    }
}
