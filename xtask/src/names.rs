//! The names of workflows and steps, and which workflow uses which step. Tasks on disk refer to them, so they are kept
//! in a file that reviews see.

use std::collections::BTreeSet;

use crate::{source, tree::Tree};

pub const PATH: &str = "docs/generated/workflows.txt";
const HEAD: &str = "\
# Names that tasks on disk refer to: crate, kind, name. A released name stays as long as such tasks may exist, and a
# workflow goes on to use the steps it used: it undoes them by name.
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

/// A name, the type that has it, and the types of the steps it lists.
struct Found {
    name: Name,
    subject: String,
    listed: Vec<(String, usize)>,
}

/// All names outside of tests.
pub fn all(tree: &Tree) -> Vec<Name> {
    let found: Vec<_> = tree
        .ending(".rs")
        .flat_map(|(path, text)| in_file(path, text))
        .collect();
    let mut names: Vec<_> = found.iter().flat_map(|workflow| uses(workflow, &found)).collect();
    names.extend(found.into_iter().map(|found| found.name));
    names.sort();
    names
}

/// The steps of a workflow by name. Of two types with one name, the one in the workflow's own file is meant.
fn uses(workflow: &Found, all: &[Found]) -> Vec<Name> {
    let step = |subject: &str| {
        let mut named = all
            .iter()
            .filter(|found| found.name.kind == "step" && found.subject == subject);
        let near = named.clone().find(|found| found.name.path == workflow.name.path);
        near.or_else(|| named.find(|found| found.name.owner == workflow.name.owner))
            .map_or_else(|| format!("{subject}?"), |found| found.name.name.clone())
    };
    let name = |(subject, line): &(String, usize)| Name {
        kind: "uses",
        name: format!("{} {}", workflow.name.name, step(subject)),
        line: *line,
        ..workflow.name.clone()
    };
    workflow.listed.iter().map(name).collect()
}

fn in_file(path: &str, text: &str) -> Vec<Found> {
    let code = source::code(text);
    let last = source::tests_begin(path, &code);
    let mut found: Vec<Found> = Vec::new();
    let mut block: Option<(&'static str, String)> = None;
    let mut inside = false;
    for (index, (line, raw)) in code.lines().zip(text.lines()).enumerate().take(last) {
        if line.starts_with("impl") {
            block = implemented(line);
        } else if line.starts_with('}') {
            block = None;
        }
        let Some((kind, subject)) = &block else { continue };
        if let (true, Some(name)) = (source::has_word(line, "const NAME"), raw.split('"').nth(1)) {
            found.push(Found {
                name: Name {
                    owner: owner(path),
                    kind,
                    name: name.to_owned(),
                    path: path.to_owned(),
                    line: index + 1,
                },
                subject: subject.clone(),
                listed: Vec::new(),
            });
        }
        let listed = match (inside, line.split_once("steps![")) {
            (false, Some((_, rest))) => rest,
            (true, _) => line,
            (false, None) => continue,
        };
        inside = !listed.contains(']');
        if let Some(workflow) = found.last_mut() {
            workflow.listed.extend(types(listed).map(|name| (name, index + 1)));
        }
    }
    found
}

/// `impl task::Step for Boil {`: a step, and the type's name.
fn implemented(line: &str) -> Option<(&'static str, String)> {
    let (before, subject) = line.split_once(" for ")?;
    let kind = match before.rsplit([':', ' ']).next()? {
        "Workflow" => "workflow",
        "Step" => "step",
        _ => return None,
    };
    types(subject.trim_end_matches('{')).next().map(|name| (kind, name))
}

/// The names of types in a list, without their paths.
fn types(list: &str) -> impl Iterator<Item = String> {
    let inside = list.split(']').next().unwrap_or_default();
    inside
        .split(',')
        .filter_map(|part| part.trim().rsplit("::").next().map(str::trim))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
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
    fn steps() -> Vec<StepKind> {
        task::steps![
            kitchen::Boil,
        ]
    }
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
        let wanted = [
            ("region     step      boil", 11),
            ("region     uses      thing-make boil", 5),
            ("region     workflow  thing-make", 2),
        ];
        assert_eq!(found, wanted.map(|(entry, line)| (entry.to_owned(), line)));
        assert!(
            golden(&names).ends_with("boil\nregion     uses      thing-make boil\nregion     workflow  thing-make\n")
        );
    }
}
