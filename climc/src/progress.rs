//! Progress on stderr, only when somebody looks: a spinner for one thing, a bar for several, bytes for contents.

use std::{cell::RefCell, io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use types::api::task;

pub struct Progress {
    bar: Option<ProgressBar>,
    last: RefCell<String>,
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.enable_steady_tick(Duration::from_millis(120));
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

impl Progress {
    fn new(make: impl FnOnce() -> ProgressBar) -> Self {
        Self {
            bar: std::io::stderr().is_terminal().then(make),
            last: RefCell::default(),
        }
    }

    /// For so many tasks.
    pub fn tasks(count: usize) -> Self {
        Self::new(|| match count {
            0 | 1 => styled(ProgressBar::new_spinner(), "{spinner} {msg} {elapsed}"),
            many => styled(
                ProgressBar::new(many as u64),
                "{spinner} {pos}/{len} [{bar:30}] {msg} {elapsed}",
            ),
        })
    }

    /// For a transfer.
    pub fn bytes(total: Option<u64>) -> Self {
        Self::new(|| match total {
            Some(total) => styled(
                ProgressBar::new(total),
                "{spinner} {bytes}/{total_bytes} [{bar:30}] {bytes_per_sec} {eta}",
            ),
            None => styled(ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
        })
    }

    pub fn task(&self, task: &task::View) {
        let doing = match (&task.step, task.progress.as_str()) {
            (Some(step), "") => step.clone(),
            (_, "") => task.state.to_string(),
            (_, progress) => progress.to_owned(),
        };
        self.message(format!("{} {}: {doing}", task.noun, task.resource_name));
    }

    pub fn message(&self, text: String) {
        if let Some(bar) = &self.bar
            && *self.last.borrow() != text
        {
            bar.set_message(text.clone());
            *self.last.borrow_mut() = text;
        }
    }

    pub fn one_done(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    pub fn at(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
        }
    }

    /// A bar that other threads may advance.
    pub fn handle(&self) -> Option<ProgressBar> {
        self.bar.clone()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
