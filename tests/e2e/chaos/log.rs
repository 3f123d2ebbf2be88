//! What was killed when. Shown as it happens at a terminal, and whole when the run fails.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use super::{Load, Size};

pub struct Log {
    size: String,
    began: Instant,
    kills: Vec<String>,
    total: usize,
    /// Kills while the work of at least one server was not over.
    at_work: usize,
    shown: Instant,
}

impl Log {
    pub fn new(size: &Size) -> Self {
        let size_text = format!("seed {}, {} servers, {} kills", size.seed, size.servers, size.kills);
        eprintln!("chaos: {size_text}");
        Self {
            size: size_text,
            began: Instant::now(),
            kills: Vec::new(),
            total: size.kills,
            at_work: 0,
            shown: Instant::now(),
        }
    }

    pub fn kill(&mut self, victim: &str, effects: u32, load: &Load, overdue: bool) {
        self.at_work += usize::from(load.at_work());
        let why = if overdue { ", overdue" } else { "" };
        let wanted = load.effects_wanted();
        let line = format!(
            "{:7.2} s  kill {:3}  {victim:<12} {effects} of {wanted} effects, {} servers done{why}",
            self.began.elapsed().as_secs_f64(),
            self.kills.len() + 1,
            load.done(),
        );
        self.kills.push(line.clone());
        self.line(&line);
    }

    /// Where it stands, at most once a second.
    pub fn show(&mut self, effects: u32, what: &str) {
        if self.shown.elapsed() >= Duration::from_secs(1) {
            self.shown = Instant::now();
            self.line(&format!("{what}: {effects} effects"));
        }
    }

    /// The end of a run that went well.
    pub fn done(self) {
        assert!(
            self.at_work * 2 > self.total,
            "only {} of {} kills came while there was work",
            self.at_work,
            self.total
        );
        eprintln!(
            "\nchaos: {}: all well after {:.0} s; {} kills came while there was work",
            self.size,
            self.began.elapsed().as_secs_f64(),
            self.at_work
        );
    }

    fn line(&self, text: &str) {
        if stderr().is_terminal() {
            eprint!("\r\x1b[K{text} (of {})", self.total);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("\n---- chaos: FAILED with {}", self.size);
            self.kills.iter().for_each(|kill| eprintln!("{kill}"));
        }
    }
}
