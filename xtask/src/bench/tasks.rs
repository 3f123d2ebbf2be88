//! `bench tasks`: whole tasks of three steps, every step journalled and every commit on disk, beside graphile-worker.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{
    command::output,
    database::{Database, Server},
    machine,
    report::Report,
};
use crate::{args::Args, cargo::cargo};

/// Newer ones want a newer Node.js than Debian 12 has.
const PEER: &str = "graphile-worker@0.17.3";

/// What is measured, in the order of a round.
#[derive(Clone, Copy)]
enum Subject {
    Postgres,
    Graphile,
    Sqlite,
}

impl Subject {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Graphile => "graphile-worker",
            Self::Sqlite => "SQLite",
        }
    }
}

struct Bench<'a> {
    root: &'a Path,
    dir: PathBuf,
    server: Server,
    tasks: usize,
    report: Report,
}

pub fn run(root: &Path, mut args: Args) -> Result<ExitCode> {
    let quick = args.flag("--quick");
    let rounds = args.number("--rounds")?.unwrap_or(if quick { 1 } else { 5 }).max(1);
    let tasks = args
        .number("--tasks")?
        .unwrap_or(if quick { 2_000 } else { 20_000 })
        .max(100);
    let waiting = args
        .number("--waiting")?
        .unwrap_or(if quick { 10_000 } else { 1_000_000 });
    let out = args
        .option("--out")?
        .map_or_else(|| root.join("target/bench/tasks.jsonl"), PathBuf::from);
    args.done()?;
    build(root)?;
    peer(root)?;
    let dir = tempfile(root)?;
    let mut bench = Bench {
        root,
        server: Server::start(&dir)?,
        dir,
        tasks,
        report: Report::open(&out)?,
    };
    bench.lines(waiting);
    let measured = bench.rounds(rounds, waiting);
    bench.report.print(&machine::facts(root));
    println!("raw data: {}", out.display());
    drop(fs::remove_dir_all(&bench.dir));
    measured?;
    Ok(ExitCode::SUCCESS)
}

/// The database's own files must not be on a memory disk: fsync is what is measured.
fn tempfile(root: &Path) -> Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("isobar-bench-{}", std::process::id()));
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let kind = output(Command::new("stat").args(["-f", "-c", "%T"]).arg(&dir))?;
    ensure!(
        kind != "tmpfs",
        "{} is in memory: set TMPDIR to a directory on a disk, for example {}",
        dir.display(),
        root.join("target").display()
    );
    Ok(dir)
}

fn build(root: &Path) -> Result<()> {
    eprintln!("bench: building the engine with --release");
    let mut cargo = cargo(root);
    cargo.args(["build", "-q", "--release", "-p", "isobar-task", "--example", "tasks"]);
    ensure!(
        cargo.status().context("cargo cannot be run")?.success(),
        "the release build failed"
    );
    Ok(())
}

/// Installs the peer once, into target/bench.
fn peer(root: &Path) -> Result<()> {
    let dir = root.join("target/bench/graphile");
    if dir.join("node_modules/graphile-worker").exists() {
        return Ok(());
    }
    eprintln!("bench: installing {PEER}");
    fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-fund", "--no-audit", "--prefix"])
        .arg(&dir)
        .arg(PEER);
    output(&mut npm)
        .context("the peer cannot be installed: it needs nodejs and npm")
        .map(drop)
}

impl Bench<'_> {
    fn lines(&mut self, waiting: usize) {
        let beside = |measure: &str| Some(format!("{}, {measure}", Subject::Graphile.name()));
        for (subject, goal) in [(Subject::Postgres, "5000"), (Subject::Sqlite, "3000")] {
            let peer = beside("tasks/s");
            let name = subject.name();
            self.report
                .line(&format!("{name}, tasks/s"), "/s", peer.as_deref(), Some(goal));
            for (at, goal) in [("p50", "3 ms"), ("p99", "15 ms")] {
                let measure = format!("start {at}");
                self.report.line(
                    &format!("{name}, {measure}"),
                    "ms",
                    beside(&measure).as_deref(),
                    Some(goal),
                );
            }
            self.report.line(
                &format!("{name}, CPU a task"),
                "ms",
                beside("CPU a task").as_deref(),
                None,
            );
            let full = format!("tasks/s beside {waiting} waiting");
            self.report
                .line(&format!("{name}, {full}"), "/s", beside(&full).as_deref(), None);
        }
    }

    fn rounds(&mut self, rounds: usize, waiting: usize) -> Result<()> {
        let subjects = [Subject::Postgres, Subject::Graphile, Subject::Sqlite];
        for round in 1..=rounds {
            for subject in subjects {
                eprintln!("bench: round {round} of {rounds}, {}", subject.name());
                self.measure(subject, 0)?;
            }
        }
        for subject in subjects.into_iter().filter(|_| waiting > 0) {
            eprintln!("bench: {} beside {waiting} waiting tasks", subject.name());
            self.measure(subject, waiting)?;
        }
        Ok(())
    }

    /// One run on a new database.
    fn measure(&mut self, subject: Subject, waiting: usize) -> Result<()> {
        let busy = busy()?;
        let said = output(&mut self.command(subject, waiting)?)?;
        let cpu = busy_since(busy)?;
        let name = subject.name();
        for line in said.lines() {
            let line: Value = serde_json::from_str(line).with_context(|| format!("{name} said {line}"))?;
            let number = |key: &str| line[key].as_f64().unwrap_or(f64::NAN);
            let rate = number("tasks") / number("seconds");
            match (line["measure"].as_str(), waiting) {
                (Some("throughput"), 0) => {
                    self.report.sample(&format!("{name}, tasks/s"), rate)?;
                    let whole = self.tasks as f64 * 1.2;
                    self.report.sample(&format!("{name}, CPU a task"), cpu / whole)?;
                }
                (Some("throughput"), _) => {
                    self.report
                        .sample(&format!("{name}, tasks/s beside {waiting} waiting"), rate)?;
                }
                (Some("latency"), 0) => {
                    for at in ["p50", "p99"] {
                        let value = number(&format!("{at}_us")) / 1000.0;
                        self.report.sample(&format!("{name}, start {at}"), value)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn command(&self, subject: Subject, waiting: usize) -> Result<Command> {
        let url = match subject {
            Subject::Sqlite => {
                let file = self.dir.join("tasks.db");
                for end in ["", "-wal", "-shm"] {
                    drop(fs::remove_file(self.dir.join(format!("tasks.db{end}"))));
                }
                format!("sqlite://{}", file.display())
            }
            Subject::Postgres | Subject::Graphile => self.database()?,
        };
        let mut command = if matches!(subject, Subject::Graphile) {
            let mut node = Command::new("node");
            node.arg(self.root.join("tools/bench/graphile.mjs"))
                .current_dir(self.root.join("target/bench/graphile"));
            node
        } else {
            Command::new(self.root.join("target/release/examples/tasks"))
        };
        command.arg(url).arg(self.tasks.to_string()).arg(waiting.to_string());
        Ok(command)
    }

    /// A new one with the server's default settings: every commit is on disk.
    fn database(&self) -> Result<String> {
        let admin = Database::Postgres(self.server.url.clone());
        admin.run("DROP DATABASE IF EXISTS tasks WITH (FORCE);")?;
        admin.run("CREATE DATABASE tasks;")?;
        let (server, _) = self
            .server
            .url
            .rsplit_once('/')
            .context("the server's URL names no database")?;
        Ok(format!("{server}/tasks"))
    }
}

/// Milliseconds of CPU of the whole machine since it booted: the database's share counts too.
fn busy() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat").context("/proc is not there")?;
    let all = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = all
        .split_whitespace()
        .skip(1)
        .filter_map(|text| text.parse().ok())
        .collect();
    // user, nice, system, then idle and waiting, which do not count.
    Ok(ticks.iter().take(3).sum::<f64>() * 10.0)
}

fn busy_since(before: f64) -> Result<f64> {
    Ok(busy()? - before)
}
