//! Samples as they come, one JSON object a line, and the table of what they amount to.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::json;

pub struct Report {
    raw: File,
    samples: BTreeMap<String, Vec<f64>>,
    lines: Vec<Line>,
}

struct Line {
    measure: String,
    unit: &'static str,
    peer: Option<String>,
    goal: Option<&'static str>,
}

impl Report {
    pub fn open(path: &Path) -> Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        }
        let raw = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self {
            raw,
            samples: BTreeMap::new(),
            lines: Vec::new(),
        })
    }

    /// One line of the table; samples of `measure` and `peer` may come before or after.
    pub fn line(&mut self, measure: &str, unit: &'static str, peer: Option<&str>, goal: Option<&'static str>) {
        self.lines.push(Line {
            measure: measure.to_owned(),
            unit,
            peer: peer.map(str::to_owned),
            goal,
        });
    }

    pub fn sample(&mut self, measure: &str, value: f64) -> Result<()> {
        self.samples.entry(measure.to_owned()).or_default().push(value);
        writeln!(self.raw, "{}", json!({"measure": measure, "value": value})).context("the raw data cannot be written")
    }

    pub fn time(&mut self, measure: &str, took: Duration) -> Result<()> {
        self.sample(measure, took.as_secs_f64() * 1000.0)
    }

    pub fn print(&self, facts: &str) {
        println!("\n{facts}");
        println!(
            "{:<44} {:>5} {:>10} {:>10} {:>10}  {:<12}",
            "measure", "n", "median", "p99", "goal", ""
        );
        for line in &self.lines {
            let Some(values) = self.samples.get(&line.measure) else {
                continue;
            };
            let goal = line.goal.unwrap_or("");
            println!(
                "{} {goal:>10}  {}",
                row(&line.measure, values, line.unit),
                self.ratio(line, values)
            );
            if let Some((peer, values)) = line
                .peer
                .as_ref()
                .and_then(|peer| Some((peer, self.samples.get(peer)?)))
            {
                println!("{}", row(&format!("  beside: {peer}"), values, line.unit));
            }
        }
    }

    fn ratio(&self, line: &Line, values: &[f64]) -> String {
        let peer = line.peer.as_ref().and_then(|peer| self.samples.get(peer));
        peer.map_or_else(String::new, |peer| {
            format!("{:.2} x peer", median(values) / median(peer))
        })
    }
}

fn row(name: &str, values: &[f64], unit: &str) -> String {
    let show = |value: f64| format!("{value:.2} {unit}");
    format!(
        "{name:<44} {:>5} {:>10} {:>10}",
        values.len(),
        show(median(values)),
        show(percentile(values, 99.0))
    )
}

pub fn median(values: &[f64]) -> f64 {
    percentile(values, 50.0)
}

/// The nearest rank: a value that was measured, never one in between.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let values: Vec<_> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(
            (
                percentile(&values, 50.0),
                percentile(&values, 99.0),
                percentile(&values, 100.0)
            ),
            (50.0, 99.0, 100.0)
        );
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert!(median(&[]).is_nan());
    }
}
