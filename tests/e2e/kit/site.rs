//! One installation in a directory of its own, and climc logged in to it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Process, peers::guest_image, program, wait_until};

pub struct Site {
    directory: TempDir,
}

/// The files of a failed test stay, for whoever looks for its cause.
impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.directory.disable_cleanup(true);
            eprintln!("---- logs and data are left in {}", self.directory.path().display());
        }
    }
}

/// How one run of climc ended.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Site {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("isobar-e2e.").tempdir().unwrap();
        // libvirt's dnsmasq, which is not root, must be able to pass.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// All roles in one process on SQLite; once more after it ended, on the same data.
    pub fn serve(&self) -> Process {
        let mut process = self.start(
            "controller",
            program("isobar").args(["serve", "--listen", "127.0.0.1:0"]),
        );
        process.ready();
        process
    }

    /// A program with the data directory of its name.
    pub fn start(&self, name: &str, command: &mut Command) -> Process {
        command.arg("--data-dir").arg(self.path(name));
        Process::start(self.directory.path(), name, command)
    }

    /// climc on its own beside the test, for what goes on until it is ended; its output is in `Process::output`.
    pub fn beside(&self, words: &str) -> Process {
        Process::start(self.directory.path(), "climc", &mut self.command(words))
    }

    fn command(&self, words: &str) -> Command {
        let mut command = program("climc");
        command
            .args(words.split_whitespace())
            .envs(self.login())
            .env("HOME", self.directory.path())
            .env_remove("XDG_CONFIG_HOME");
        command
    }

    /// The variables of `admin.env`, as a shell would read them.
    pub fn login(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.path("controller/admin.env")).unwrap();
        let pair = |line: &str| {
            let (key, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((key.to_owned(), value.trim_matches('\'').to_owned()))
        };
        text.lines().filter_map(pair).collect()
    }

    /// Runs climc; `words` are separated by spaces.
    pub fn climc(&self, words: &str) -> Answer {
        self.climc_as(&[], words)
    }

    /// As somebody else: `login` goes over the administrator's.
    pub fn climc_as(&self, login: &[(&str, &str)], words: &str) -> Answer {
        let run = self.command(words).envs(login.iter().copied()).output().unwrap();
        Answer {
            code: run.status.code().unwrap_or(-1),
            out: String::from_utf8(run.stdout).unwrap(),
            err: String::from_utf8(run.stderr).unwrap(),
        }
    }

    /// The output of a run that must succeed.
    pub fn ok(&self, words: &str) -> String {
        let Answer { code, out, err } = self.climc(words);
        assert_eq!(code, 0, "climc {words}\n{out}{err}");
        out
    }

    /// As [`Site::ok`], with `-o json`.
    pub fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{words} -o json"))).unwrap()
    }

    pub fn list(&self, words: &str) -> Vec<Value> {
        let Value::Array(items) = self.json(words) else {
            panic!("climc {words} -o json is not an array");
        };
        items
    }

    /// A run that must fail with this code and one clear sentence.
    pub fn refused(&self, code: i32, words: &str) {
        self.says(code, words, &[]);
    }

    /// As [`Site::refused`]; the sentence names each of `parts`.
    pub fn says(&self, code: i32, words: &str, parts: &[&str]) {
        let answer = self.climc(words);
        assert_eq!(answer.code, code, "climc {words}\n{}{}", answer.out, answer.err);
        assert!(answer.err.contains("error: "), "climc {words}\n{}", answer.err);
        for part in parts {
            assert!(
                answer.err.contains(part),
                "climc {words}\n`{part}` is not in: {}",
                answer.err
            );
        }
        eprintln!("climc {words}\n    {}", answer.err.trim());
    }

    /// What servers on the simulated cloud need: the account `lab` with these options, an image, a network, a flavor.
    pub fn furnish(&self, options: &str) {
        self.ok(&format!(
            "cloud-account create lab --driver sim --option {options} --wait"
        ));
        self.add_image();
        self.ok("network create lan --cidr 10.20.0.0/24");
        self.ok("flavor create small --vcpus 1 --memory 512M --disk 1G");
    }

    /// The small bootable guest as image `tiny`.
    pub fn add_image(&self) {
        let file = guest_image();
        self.ok(&format!(
            "image create tiny --file {} --format qcow2 --wait",
            file.display()
        ));
    }

    /// The state of one server.
    pub fn state(&self, server: &str) -> String {
        self.json(&format!("server show {server}"))["state"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// No work is left: what is queued or under way has ended.
    pub fn settled(&self, seconds: u64) {
        wait_until("every task has ended", seconds, || {
            self.list("task list --all-projects --state queued,running,undoing")
                .is_empty()
        });
    }

    /// What is recorded and what exists are the same, now and not a moment later.
    pub fn no_leaks(&self) {
        self.ok("doctor --leaks");
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
