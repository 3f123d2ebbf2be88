//! What Isobar costs while nothing happens: memory of an idle server, CPU of a command that only starts.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{Bench, machine, site::Site, wait};

const IDLE: Duration = Duration::from_secs(10);

pub fn memory(bench: &mut Bench) -> Result<()> {
    let measure = "isobar serve, resident after 10 s idle";
    bench.report.line(measure, "MiB", None, Some("100 MiB"));
    let site = Site::start(bench, "memory", None)?;
    wait::idle(IDLE);
    let rss = machine::field(&format!("/proc/{}/status", site.pid()), "VmRSS");
    let kib: f64 = rss
        .split(' ')
        .next()
        .and_then(|kib| kib.parse().ok())
        .with_context(|| format!("VmRSS is {rss}"))?;
    bench.report.sample(measure, kib / 1024.0)
}

/// Runs are counted in lots, because the kernel tells CPU time in hundredths of a second.
const LOT: usize = 10;

pub fn climc(bench: &mut Bench) -> Result<()> {
    let (measure, peer) = (
        "climc --version, user + system CPU",
        "openstack --version, user + system CPU",
    );
    bench.report.line(measure, "ms", Some(peer), Some("10 ms"));
    let climc = bench.binary("climc");
    let openstack = bench.root.join("target/venv/bin/openstack");
    for _ in 0..(bench.rounds / 3).max(5) {
        bench.report.sample(measure, cpu(&climc, LOT)?)?;
        if openstack.exists() {
            bench.report.sample(peer, cpu(&openstack, 1)?)?;
        }
    }
    if !openstack.exists() {
        eprintln!("bench: no OpenStack client to compare with: run tools/install test");
    }
    Ok(())
}

/// Milliseconds of CPU per run.
fn cpu(program: &Path, runs: usize) -> Result<f64> {
    let before = children()?;
    for _ in 0..runs {
        let status = Command::new(program)
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        ensure!(
            status
                .with_context(|| format!("{} cannot be run", program.display()))?
                .success(),
            "{} --version failed",
            program.display()
        );
    }
    Ok((children()? - before) / runs as f64)
}

/// CPU milliseconds of all children that have ended. Linux counts in hundredths of a second for everybody.
fn children() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("/proc is not there")?;
    // After the name, which is in parentheses and may hold anything.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|text| text.parse::<f64>().ok())
            .context("/proc/self/stat is odd")
    };
    Ok((ticks(13)? + ticks(14)?) * 10.0)
}

pub fn is_root() -> bool {
    machine::field("/proc/self/status", "Uid").split_whitespace().nth(1) == Some("0")
}
