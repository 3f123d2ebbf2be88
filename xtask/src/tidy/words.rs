//! Words that code must not hold, or only in one place: what stops a process, waits blindly, or goes around the store;
//! and in every file, paths of somebody's machine.

use super::{Finding, allowed};
use crate::{
    source::{self, has_word},
    tree::Tree,
};

/// In all code but tests.
const BANNED: &[(&str, &str)] = &[
    ("todo!", "write it, or leave the case out and say so in the documents"),
    ("unimplemented!", "write it, or answer `Unsupported`"),
    ("dbg!", "take it out, or use tracing"),
];
/// Everywhere, tests included.
const NEVER: &[(&str, &str)] = &[
    ("unsafe", "use a crate that wraps it"),
    ("#[ignore", "make the test run, or delete it"),
];
const CONNECTIONS: &[&str] = &["DatabaseConnection", "Database::connect"];
/// The store has the connections; the testkit makes databases to hand to it.
const CONNECTED: &[&str] = &["core/store/", "core/testkit/"];
/// Written in halves: this file is checked as well.
const PRIVATE: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tmp/", "bash"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let rust = tree.ending(".rs").flat_map(|(path, text)| rust(path, text));
    let all = tree.0.iter().flat_map(|(path, text)| private(path, text));
    rust.chain(all).collect()
}

fn rust(path: &str, text: &str) -> Vec<Finding> {
    let code = source::code(text);
    let tests = source::tests_begin(path, &code);
    let paused = code.contains("start_paused") || code.contains("time::pause");
    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut say = |what: String, mend: &str| findings.push(Finding::new(path, index + 1, what, mend));
        for (word, mend) in NEVER.iter().chain(BANNED.iter().filter(|_| index < tests)) {
            if has_word(line, word) {
                say(format!("`{word}`"), mend);
            }
        }
        if !allowed::SLEEPS.contains(&path) && has_word(line, "sleep(") {
            match index < tests {
                true if line.contains("thread::sleep(") => {
                    say("`thread::sleep`".into(), "wait for a signal, or use tokio's timers")
                }
                false if !paused => say(
                    "a test that sleeps".into(),
                    "wait until the level is reached, or pause tokio's time",
                ),
                _ => {}
            }
        }
        let outside = index < tests && !CONNECTED.iter().any(|home| path.starts_with(home));
        for word in CONNECTIONS.iter().filter(|word| outside && has_word(line, word)) {
            say(
                format!("`{word}` outside of core/store"),
                "ask the store: only it has a connection",
            );
        }
    }
    findings
}

fn private(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in PRIVATE.iter().filter(|word| starts_a_path(line, word)) {
            let what = format!("`{word}` is a path of one machine");
            findings.push(Finding::new(
                path,
                index + 1,
                what,
                "name it relative to the repository, or let it be configured",
            ));
        }
    }
    findings
}

/// Not the middle of a URL or of a longer path.
fn starts_a_path(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-}*".contains(c);
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        super::super::said(&super::check(&Tree::sample(&[(path, text)])))
    }

    #[test]
    fn words_count_in_code_only() {
        assert_eq!(
            check("region/src/a.rs", "// todo! and unsafe\nlet a = \"dbg!(1)\";\n"),
            Vec::<String>::new()
        );
        let found = check("region/src/a.rs", "fn a() {\n    todo!()\n}\nunsafe { }\n");
        assert!(
            found[0].starts_with("region/src/a.rs:2: `todo!`; write it"),
            "{found:?}"
        );
        assert!(found[1].starts_with("region/src/a.rs:4: `unsafe`"), "{found:?}");
        assert_eq!(
            check("region/tests/it/a.rs", "#[ignore = \"slow\"]\nfn a() {}\n").len(),
            1
        );
    }

    #[test]
    fn sleeping() {
        assert_eq!(check("region/src/a.rs", "tokio::time::sleep(x).await;\n").len(), 0);
        assert_eq!(check("region/src/a.rs", "std::thread::sleep(x);\n").len(), 1);
        assert_eq!(check("region/tests/it/a.rs", "tokio::time::sleep(x).await;\n").len(), 1);
        assert_eq!(
            check("region/src/a.rs", "#[cfg(test)]\nmod tests {\n    sleep(x).await;\n}\n").len(),
            1
        );
        assert_eq!(
            check(
                "region/tests/it/a.rs",
                "#[tokio::test(start_paused = true)]\nsleep(x).await;\n"
            )
            .len(),
            0
        );
        assert_eq!(check(allowed::SLEEPS[0], "thread::sleep(x);\n").len(), 0);
    }

    #[test]
    fn connections_belong_to_the_store() {
        let text = "use sea_orm::DatabaseConnection;\n";
        assert_eq!(check("core/store/src/a.rs", text).len(), 0);
        assert_eq!(check("region/tests/it/a.rs", text).len(), 0);
        let wanted =
            "region/src/a.rs:1: `DatabaseConnection` outside of core/store; ask the store: only it has a connection";
        assert_eq!(check("region/src/a.rs", text), [wanted]);
    }

    #[test]
    fn paths_of_a_machine_in_any_file() {
        let path = PRIVATE[0];
        assert_eq!(check("docs/a.md", &format!("see `{path}x`\n")).len(), 1);
        assert_eq!(check("docs/a.md", &format!("https://example.org{path}x\n")).len(), 0);
    }
}
