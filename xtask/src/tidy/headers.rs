//! Every Rust file opens by saying what it is, in one to five lines.

use super::{Finding, allowed};
use crate::tree::Tree;

const MOST: usize = 5;

pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.ending(".rs").filter_map(|(path, text)| file(path, text)).collect()
}

fn file(path: &str, text: &str) -> Option<Finding> {
    let lines = text.lines().take_while(|line| line.starts_with("//!")).count();
    if lines == 0 {
        let mend = "open it with one to five `//!` lines";
        return Some(Finding::new(path, 1, "the file does not say what it is", mend));
    }
    if text
        .lines()
        .next()
        .is_some_and(|line| line.trim_start_matches("//!").trim().is_empty())
    {
        return Some(Finding::new(
            path,
            1,
            "the first `//!` line is empty",
            "say there what the file is",
        ));
    }
    if lines > MOST && !allowed::ESSAYS.contains(&path) {
        let mend = format!("cut it to {MOST}, or add the file to ESSAYS in xtask/src/tidy/allowed.rs");
        return Some(Finding::new(
            path,
            lines,
            format!("the opening comment has {lines} lines"),
            mend,
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_to_five_lines() {
        let check = |path: &str, text: &str| file(path, text).map(|finding| finding.to_string());
        assert_eq!(check("a.rs", "//! What.\n"), None);
        let mend = "open it with one to five `//!` lines";
        let mute = format!("a.rs:1: the file does not say what it is; {mend}");
        assert_eq!(check("a.rs", "use x;\n//! late\n"), Some(mute.clone()));
        assert_eq!(check("a.rs", ""), Some(mute));
        assert!(check("a.rs", "//!\n//! x\n").is_some());
        assert!(check("a.rs", &"//! x\n".repeat(6)).is_some());
        assert_eq!(check(allowed::ESSAYS[0], &"//! x\n".repeat(60)), None);
    }
}
