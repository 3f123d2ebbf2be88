//! Names that tasks on disk refer to are the ones of the kept list, and no two things share one.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::{names, tree::Tree};

const GEN: &str = "run `cargo xtask gen` and commit the file";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let names = names::all(tree);
    let mut findings = twice(&names);
    let Some(kept) = tree.get(names::PATH) else {
        findings.push(Finding::new(
            names::PATH,
            1,
            "the list of workflow and step names is missing",
            GEN,
        ));
        return findings;
    };
    let now: BTreeSet<_> = names.iter().map(names::Name::entry).collect();
    let kept: BTreeMap<_, _> = kept
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#'))
        .map(|(index, line)| (line.to_owned(), index + 1))
        .collect();
    for (entry, line) in kept.iter().filter(|(entry, _)| !now.contains(*entry)) {
        let what = format!(
            "a released name is renamed or gone: `{}`: tasks on disk would not fit",
            squeeze(entry)
        );
        let mend = "keep the old name; if no release carries it, run `cargo xtask gen`";
        findings.push(Finding::new(names::PATH, *line, what, mend));
    }
    for name in names.iter().filter(|name| !kept.contains_key(&name.entry())) {
        let what = format!("{} `{}` is not in {}", name.kind, name.name, names::PATH);
        findings.push(Finding::new(&name.path, name.line, what, GEN));
    }
    findings
}

/// One name, one meaning: the journal knows nothing else. Workflows and steps are separate registers.
fn twice(names: &[names::Name]) -> Vec<Finding> {
    let mut first: BTreeMap<_, &names::Name> = BTreeMap::new();
    let mut findings = Vec::new();
    for name in names {
        match first.get(&(name.kind, &name.name)) {
            Some(other) => {
                let what = format!("{} `{}` is also at {}:{}", name.kind, name.name, other.path, other.line);
                findings.push(Finding::new(&name.path, name.line, what, "give it a name of its own"));
            }
            None => {
                first.insert((name.kind, &name.name), name);
            }
        }
    }
    findings
}

fn squeeze(entry: &str) -> String {
    entry.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> String {
        format!("impl Step for X {{\n    const NAME: &str = \"{name}\";\n}}\n")
    }

    #[test]
    fn a_renamed_step_is_two_findings() {
        let before = Tree::sample(&[("region/src/a.rs", &step("boil"))]);
        let kept = names::golden(&names::all(&before));
        let check = |name: &str| {
            let tree = Tree::sample(&[("region/src/a.rs", &step(name)), (names::PATH, &kept)]);
            super::super::said(&check(&tree))
        };
        assert_eq!(check("boil"), Vec::<String>::new());
        let found = check("cook");
        assert!(
            found[0]
                .starts_with("docs/generated/workflows.txt:4: a released name is renamed or gone: `region step boil`")
        );
        assert!(
            found[1].starts_with("region/src/a.rs:2: step `cook` is not in"),
            "{found:?}"
        );
    }

    #[test]
    fn the_same_name_twice() {
        let tree = Tree::sample(&[("region/src/a.rs", &step("boil")), ("glance/src/b.rs", &step("boil"))]);
        let found = super::super::said(&check(&tree));
        assert!(
            found[0].starts_with("region/src/a.rs:2: step `boil` is also at glance/src/b.rs:2"),
            "{found:?}"
        );
    }
}
