//! House rules that neither rustc nor clippy knows. Each check is a function from the tree to findings, tested on
//! small samples; exceptions live in `allowed` and nowhere else.

mod allowed;
mod headers;
mod layers;
mod manifests;
mod released;
mod sizes;
mod words;

use std::{fmt, process::ExitCode};

use crate::tree::Tree;

/// One broken rule: where, what, how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    line: usize,
    what: String,
    mend: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.path, self.line, self.what, self.mend)
    }
}

const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    layers::check,
    manifests::check,
    sizes::check,
    headers::check,
    words::check,
    released::check,
    allowed::check,
];

pub fn run(tree: &Tree) -> ExitCode {
    let mut findings: Vec<_> = CHECKS.iter().flat_map(|check| check(tree)).collect();
    findings.sort();
    findings.iter().for_each(|finding| eprintln!("{finding}"));
    match findings.len() {
        0 => {
            println!("tidy: {} files, {} checks, nothing to mend", tree.0.len(), CHECKS.len());
            ExitCode::SUCCESS
        }
        n => {
            eprintln!("tidy: {n} to mend");
            ExitCode::FAILURE
        }
    }
}

/// Line of the first occurrence, from 1; 1 when it is nowhere.
fn line_of(text: &str, needle: &str) -> usize {
    text.lines()
        .position(|line| line.contains(needle))
        .map_or(1, |at| at + 1)
}

#[cfg(test)]
fn said(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}
