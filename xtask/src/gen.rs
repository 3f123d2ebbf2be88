//! Files made from code. What the product knows is printed by its own binary; what the source says is read from it.
//! docs/generated/authz.txt is kept by a test of core/auth and not touched here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{cargo::cargo, diff, names, tree::Tree};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Write,
    Check,
}

/// File, and what `isobar` is asked for it.
const PRINTED: &[(&str, &[&str])] = &[
    ("sdk/openapi/region.json", &["openapi", "region"]),
    ("sdk/openapi/scheduler.json", &["openapi", "scheduler"]),
    ("sdk/openapi/gateway.json", &["openapi", "gateway"]),
    ("docs/generated/configuration.md", &["config-reference"]),
    ("docs/generated/states.md", &["states"]),
];

pub fn run(root: &Path, mode: Mode) -> Result<ExitCode> {
    let mut stale = 0;
    let names = names::golden(&names::all(&Tree::read(root)?));
    stale += keep(root, names::PATH, &names, mode)?;
    let binary = binary(root)?;
    for (file, question) in PRINTED {
        stale += keep(root, file, &ask(&binary, file, question)?, mode)?;
    }
    match (mode, stale) {
        (_, 0) => println!("gen: {} files are as the code says", PRINTED.len() + 1),
        (Mode::Write, n) => println!("gen: {n} written"),
        (Mode::Check, n) => {
            eprintln!("gen: {n} out of date: run `cargo xtask gen` and commit what it writes");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The server to ask: the one `ISOBAR_BIN` names, which `./test` has just built, or one built now.
fn binary(root: &Path) -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("ISOBAR_BIN") {
        return Ok(root.join(given));
    }
    let built = cargo(root).args(["build", "-q", "--bin", "isobar"]).status();
    ensure!(
        built.context("cargo cannot be run")?.success(),
        "isobar does not build: mend that first"
    );
    Ok(root.join("target/debug/isobar"))
}

fn ask(binary: &Path, file: &str, question: &[&str]) -> Result<String> {
    let said = Command::new(binary)
        .args(question)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be run", binary.display()))?;
    let question = question.join(" ");
    ensure!(
        said.status.success(),
        "`isobar {question}` failed, so {file} cannot be made; its words are above"
    );
    let text =
        String::from_utf8(said.stdout).with_context(|| format!("`isobar {question}` printed what is not text"))?;
    shaped(file, &text).with_context(|| format!("`isobar {question}`"))
}

/// One shape whatever the binary prints: JSON indented, and one newline at the end.
fn shaped(file: &str, text: &str) -> Result<String> {
    if text.trim().is_empty() {
        bail!("printed nothing");
    }
    if !file.ends_with(".json") {
        return Ok(format!("{}\n", text.trim_end()));
    }
    let value: serde_json::Value = serde_json::from_str(text).context("printed what is not JSON")?;
    Ok(format!("{value:#}\n"))
}

/// 1 when the file is not what it should be.
fn keep(root: &Path, file: &str, wanted: &str, mode: Mode) -> Result<usize> {
    let path = root.join(file);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let Some(difference) = diff::first(&old, wanted) else {
        return Ok(0);
    };
    if mode == Mode::Check {
        eprint!("--- {file}\n+++ what the code says\n{difference}");
        return Ok(1);
    }
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    }
    fs::write(&path, wanted).with_context(|| format!("{file} cannot be written"))?;
    println!("gen: wrote {file}");
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shape() {
        assert_eq!(shaped("a.json", "{\"b\":1}").unwrap(), "{\n  \"b\": 1\n}\n");
        assert_eq!(shaped("a.md", "x\n\n").unwrap(), "x\n");
        assert!(shaped("a.json", "oops").is_err() && shaped("a.md", " \n").is_err());
    }
}
