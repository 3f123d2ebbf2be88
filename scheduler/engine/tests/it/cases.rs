//! Runs `tests/cases/*.txt`: each is a story of hosts, requests and answers, meant to be read.
//! `UPDATE=1 cargo test -p isobar-scheduler-engine` writes the answers anew.

use std::{fs, path::Path};

use expect_test::expect_file;

use crate::script::Script;

#[test]
fn answers_are_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let answered = answer(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, answered).unwrap();
        } else {
            expect_file![&file].assert_eq(&answered);
        }
    }
}

/// The script's own lines, each followed by its answer; answers are the indented lines.
fn answer(text: &str) -> Result<String, String> {
    let mut script = Script::default();
    let mut answered = String::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with(' ')) {
        answered.push_str(line);
        answered.push('\n');
        let lines = script
            .run(line)
            .map_err(|error| format!("line {}: {error}", number + 1))?;
        for (at, line) in lines.iter().enumerate() {
            answered.push_str(if at == 0 { "  -> " } else { "     " });
            answered.push_str(line);
            answered.push('\n');
        }
    }
    Ok(answered)
}
