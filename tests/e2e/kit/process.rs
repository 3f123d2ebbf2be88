//! A program under test: its output goes to files, its end is certain, and a failed test shows how its log ends.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use super::wait;

/// How much of a log a failed test shows.
const TAIL: usize = 40;

/// `isobar` or `climc`, without the settings of whoever runs the tests.
pub fn program(name: &str) -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_isobar")).parent().unwrap();
    let directory = std::env::var_os("ISOBAR_BIN_DIR").map_or_else(|| beside.to_owned(), PathBuf::from);
    let path = fs::canonicalize(&directory).unwrap_or(directory).join(name);
    assert!(
        path.exists(),
        "{} is missing: build it with `cargo build --bins --workspace`",
        path.display()
    );
    let mut command = Command::new(path);
    for (key, _) in std::env::vars_os() {
        let text = key.to_string_lossy();
        if ["OS_", "ISOBAR_", "CLIMC_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&key);
        }
    }
    command
}

/// Killed when it goes out of scope.
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    log: PathBuf,
}

impl Process {
    /// Starts it with `NAME.out` and `NAME.log` in `directory`. Another start of that name goes on in the same log.
    pub fn start(directory: &Path, name: &str, command: &mut Command) -> Self {
        let (out, log) = (
            directory.join(format!("{name}.out")),
            directory.join(format!("{name}.log")),
        );
        let stdout = fs::File::create(&out).unwrap();
        let stderr = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        Self {
            name: name.to_owned(),
            child,
            out,
            log,
        }
    }

    /// The origin of its `ready` line.
    pub fn ready(&mut self) -> String {
        wait(&format!("{} prints its ready line", self.name), 120, || {
            assert!(self.ended().is_none(), "{} ended before it was ready", self.name);
            self.origin()
        })
    }

    pub fn was_ready(&self) -> bool {
        self.origin().is_some()
    }

    fn origin(&self) -> Option<String> {
        let text = self.output();
        let line = text.lines().find(|line| line.starts_with("ready"))?;
        Some(line.rsplit_once(" on ")?.1.to_owned())
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL: it has no chance to say anything.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, and how it ended within the ten seconds that it is allowed.
    pub fn stop(mut self) -> ExitStatus {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success(), "{} cannot be signalled", self.name);
        wait(&format!("{} stops after SIGTERM", self.name), 10, || self.ended())
    }

    fn end(&mut self) {
        // Both only fail when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let text = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            eprintln!("---- the end of the log of {}", self.name);
            lines[lines.len().saturating_sub(TAIL)..]
                .iter()
                .for_each(|line| eprintln!("{line}"));
        }
    }
}
