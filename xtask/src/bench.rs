//! `bench spine`: how fast and how heavy the line from a POST to a running guest is, beside a peer in the same run.
//! Needs root, libvirt and PostgreSQL (`tools/install host test`); what is missing ends its part with a sentence.

mod boot;
mod command;
mod database;
mod http;
mod machine;
mod report;
mod requests;
mod seed;
mod site;
mod small;
mod tasks;
mod wait;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{args::Args, cargo::cargo};
use report::Report;

const USAGE: &str = "\
cargo xtask bench scheduler [HOSTS ...]

  decisions a second and nanoseconds a host on one core, beside a plain scheduler; one JSON object a line

cargo xtask bench tasks [--tasks N] [--rounds N] [--waiting N] [--out FILE] [--quick]

  whole tasks of three steps a second on PostgreSQL and SQLite, and how long until a task starts at 1,000 a second,
  beside graphile-worker on the same PostgreSQL (needs nodejs and npm); then once more beside waiting tasks

cargo xtask bench spine [--only PART,...] [--out FILE] [--rounds N] [--quick]

  --only     some of: boot (create until qemu runs), sqlite, postgres (POST until 202; lists of 100,000 servers),
             memory (idle isobar serve), climc (CPU of a start)
  --out      raw data, one JSON object a line (default: target/bench/spine.jsonl)
  --rounds   boots of each kind (default: 15); the other parts scale with it
  --quick    3 rounds and 5,000 servers: shows that it works, not how fast it is
  --postgres URL of an empty database; without it a PostgreSQL of our own runs for the time of the measurement";

const PARTS: &[&str] = &["boot", "sqlite", "postgres", "memory", "climc"];

/// What every part needs.
pub struct Bench {
    root: PathBuf,
    /// Removed at the end; also how processes of this run are told from others.
    dir: PathBuf,
    rounds: usize,
    servers: usize,
    postgres: Option<String>,
    report: Report,
}

pub fn run(root: &Path, mut args: Args) -> Result<ExitCode> {
    let help = args.flag("--help") || args.flag("-h");
    match args.word().as_deref() {
        _ if help => return Ok(usage()),
        Some("spine") => {}
        Some("scheduler") => return scheduler(root, args),
        Some("tasks") => return tasks::run(root, args),
        _ => bail!("bench what? There are: spine, scheduler, tasks\n{USAGE}"),
    }
    let quick = args.flag("--quick");
    let rounds = args.number("--rounds")?.unwrap_or(if quick { 3 } else { 15 }).max(1);
    let out = args
        .option("--out")?
        .map_or_else(|| root.join("target/bench/spine.jsonl"), PathBuf::from);
    let only = args.option("--only")?.unwrap_or_else(|| PARTS.join(","));
    let parts: Vec<_> = only.split(',').collect();
    let postgres = args.option("--postgres")?;
    args.done()?;
    if let Some(odd) = parts.iter().find(|part| !PARTS.contains(part)) {
        bail!("there is no part {odd}; there are: {}", PARTS.join(", "));
    }
    build(root)?;
    let dir = std::env::temp_dir().join(format!("isobar-bench-{}", std::process::id()));
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let servers = if quick { 5_000 } else { 100_000 };
    let mut bench = Bench {
        root: root.to_owned(),
        dir,
        rounds,
        servers,
        postgres,
        report: Report::open(&out)?,
    };
    let failed = bench.parts(&parts);
    bench.report.print(&machine::facts(root));
    println!("raw data: {}", out.display());
    drop(fs::remove_dir_all(&bench.dir));
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Bench {
    /// One part that cannot run does not take the others with it. How many failed.
    fn parts(&mut self, parts: &[&str]) -> usize {
        let mut failed = 0;
        for part in parts {
            eprintln!("bench: {part}");
            let done = match *part {
                "boot" => boot::run(self),
                "sqlite" => requests::run(self, requests::Kind::Sqlite),
                "postgres" => requests::run(self, requests::Kind::Postgres),
                "memory" => small::memory(self),
                _ => small::climc(self),
            };
            if let Err(error) = done {
                eprintln!("bench: {part} failed: {error:#}");
                failed += 1;
            }
        }
        failed
    }

    fn binary(&self, name: &str) -> PathBuf {
        self.root.join("target/release").join(name)
    }

    fn tool(&self, name: &str) -> PathBuf {
        self.root.join("tools").join(name)
    }
}

fn usage() -> ExitCode {
    println!("{USAGE}");
    ExitCode::SUCCESS
}

/// The engine measures itself; only its own example is built.
fn scheduler(root: &Path, mut args: Args) -> Result<ExitCode> {
    let mut cargo = cargo(root);
    cargo
        .args(["run", "-q", "--release", "-p", "isobar-scheduler-engine"])
        .args(["--example", "placement", "--"]);
    while let Some(word) = args.word() {
        let hosts: u32 = word
            .parse()
            .with_context(|| format!("{word} is not a number of hosts"))?;
        cargo.arg(hosts.max(1).to_string());
    }
    let status = cargo.status().context("cargo cannot be run")?;
    ensure!(status.success(), "the measurement failed");
    Ok(ExitCode::SUCCESS)
}

fn build(root: &Path) -> Result<()> {
    eprintln!("bench: building isobar and climc with --release");
    let mut cargo = cargo(root);
    cargo.args(["build", "-q", "--release", "--bin", "isobar", "--bin", "climc"]);
    ensure!(
        cargo.status().context("cargo cannot be run")?.success(),
        "the release build failed"
    );
    Ok(())
}
