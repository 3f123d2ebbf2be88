//! What the numbers were taken on.

use std::{fs, path::Path, process::Command};

use super::command::output;

pub fn facts(root: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let git = ["-C", &root.display().to_string(), "describe", "--always", "--dirty"].map(str::to_owned);
    let words: Vec<_> = std::env::args().skip(1).collect();
    [
        ("command", format!("cargo xtask {}", words.join(" "))),
        (
            "commit",
            output(Command::new("git").args(git)).unwrap_or_else(|_| "unknown".to_owned()),
        ),
        (
            "machine",
            format!(
                "{cores} cores, {}, {} MiB",
                field("/proc/cpuinfo", "model name"),
                memory()
            ),
        ),
        (
            "kernel",
            fs::read_to_string("/proc/sys/kernel/osrelease")
                .unwrap_or_default()
                .trim()
                .to_owned(),
        ),
        (
            "load",
            fs::read_to_string("/proc/loadavg")
                .unwrap_or_default()
                .trim()
                .to_owned(),
        ),
    ]
    .iter()
    .map(|(name, value)| format!("{name:<8} {value}\n"))
    .collect()
}

fn memory() -> u64 {
    let total = field("/proc/meminfo", "MemTotal");
    total
        .split(' ')
        .next()
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or_default()
        / 1024
}

/// The value after `name:` in a file of /proc.
pub fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    found.unwrap_or("unknown").trim().to_owned()
}
