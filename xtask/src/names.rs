//! The names of workflows and steps. Tasks on disk refer to them, so they are kept in a file that reviews see.

use std::collections::BTreeSet;

use crate::{source, tree::Tree};

pub const PATH: &str = "docs/generated/workflows.txt";
const HEAD: &str = "\
# Names that tasks on disk refer to: crate, kind, name. A released name stays as long as such tasks may exist.
# Made by `cargo xtask gen`.
";

/// Where a name stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub owner: String,
    pub kind: &'static str,
    pub name: String,
    pub path: String,
    pub line: usize,
}

impl Name {
    pub fn entry(&self) -> String {
        format!("{:<10} {:<9} {}", self.owner, self.kind, self.name)
    }
}

/// All names outside of tests.
pub fn all(tree: &Tree) -> Vec<Name> {
    let mut names: Vec<_> = tree
        .ending(".rs")
        .flat_map(|(path, text)| in_file(path, text))
        .collect();
    names.sort();
    names
}

fn in_file(path: &str, text: &str) -> Vec<Name> {
    let code = source::code(text);
    let last = source::tests_begin(path, &code);
    let mut names = Vec::new();
    let mut kind = None;
    for (index, (line, raw)) in code.lines().zip(text.lines()).enumerate().take(last) {
        if line.starts_with("impl") {
            kind = ["Workflow", "Step"]
                .into_iter()
                .find(|name| source::has_word(line, &format!("{name} for")));
        } else if line.starts_with('}') {
            kind = None;
        }
        if let (Some(of), true, Some(name)) = (kind, source::has_word(line, "const NAME"), raw.split('"').nth(1)) {
            let kind = if of == "Step" { "step" } else { "workflow" };
            let (owner, name) = (owner(path), name.to_owned());
            names.push(Name {
                owner,
                kind,
                name,
                path: path.to_owned(),
                line: index + 1,
            });
        }
    }
    names
}

/// `region/src/...` is region, `core/task/src/...` is core/task.
fn owner(path: &str) -> String {
    path.split_once("/src/").map_or(path, |(owner, _)| owner).to_owned()
}

/// What the file should hold.
pub fn golden(names: &[Name]) -> String {
    let entries: BTreeSet<_> = names.iter().map(Name::entry).collect();
    entries.iter().fold(HEAD.to_owned(), |text, entry| text + entry + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_are_given() {
        let text = "\
impl Workflow for Make {
    const NAME: &'static str = \"thing-make\";
}
impl task::Step for Boil {
    type Output = ();
    const NAME: &str = \"boil\";
}
impl Reconcile for Look {
    const NAME: &str = \"look\";
}
#[cfg(test)]
mod tests {
    impl Step for Toy { const NAME: &str = \"toy\"; }
}
";
        let names = all(&Tree::sample(&[
            ("region/src/thing.rs", text),
            ("region/tests/it/toys.rs", text),
        ]));
        let found: Vec<_> = names.iter().map(|name| (name.entry(), name.line)).collect();
        let wanted = [("region     step      boil", 6), ("region     workflow  thing-make", 2)];
        assert_eq!(found, wanted.map(|(entry, line)| (entry.to_owned(), line)));
        assert!(golden(&names).ends_with("region     step      boil\nregion     workflow  thing-make\n"));
    }
}
