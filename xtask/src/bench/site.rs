//! An Isobar of our own for the time of a measurement: `isobar serve` as a process, logged in by HTTP and by climc.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Bench, command, http::Http, wait};

const TENTH: Duration = Duration::from_millis(100);

pub struct Site {
    server: Process,
    climc: PathBuf,
    env: Vec<(String, String)>,
    pub data: PathBuf,
    pub origin: String,
}

/// A process that ends with its owner.
pub struct Process(Child);

impl Process {
    /// Output goes to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let file = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self(command.spawn().with_context(|| format!("{name} cannot be run"))?))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// An error with the end of its log when it ended by itself.
    pub fn alive(&mut self, log: &Path) -> Result<()> {
        let Some(status) = self.0.try_wait()? else {
            return Ok(());
        };
        let text = fs::read_to_string(log).unwrap_or_default();
        let tail: Vec<_> = text.lines().rev().take(10).collect();
        bail!(
            "it ended ({status}); its last words:\n{}",
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Politely first: databases are left in order.
        drop(Command::new("kill").arg(self.id().to_string()).status());
        let ended = wait::until("the process ends", Duration::from_secs(15), TENTH, || {
            Ok(self.0.try_wait()?)
        });
        if ended.is_err() {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}

impl Site {
    /// Starts one in `name` below the measurement's directory; a second start there finds what the first left.
    pub fn start(bench: &Bench, name: &str, database: Option<&str>) -> Result<Self> {
        let data = bench.dir.join(name);
        fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
        let log = data.join("serve.log");
        let mut serve = Command::new(bench.binary("isobar"));
        serve
            .arg("serve")
            .arg("--data-dir")
            .arg(&data)
            .args(["--listen", "127.0.0.1:0"]);
        serve.env("ISOBAR_LOG", "warn");
        if let Some(url) = database {
            serve
                .args(["--database-url", url])
                .env("ISOBAR_SERVICE_SECRET", "only-for-measuring-on-this-machine");
        }
        let mut server = Process::start(&mut serve, &log)?;
        let origin = wait::until("isobar serve is ready", Duration::from_secs(120), TENTH, || {
            server.alive(&log).context("isobar serve")?;
            let text = fs::read_to_string(&log).unwrap_or_default();
            Ok(text.lines().find(|line| line.starts_with("ready")).and_then(origin_in))
        })?;
        let env = environment(&fs::read_to_string(data.join("admin.env")).context("admin.env is not there")?);
        Ok(Self {
            server,
            climc: bench.binary("climc"),
            env,
            data,
            origin,
        })
    }

    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    /// Runs climc and gives back what it printed.
    pub fn climc(&self, words: &[&str]) -> Result<String> {
        command::output(Command::new(&self.climc).args(words).envs(self.env.iter().cloned()))
    }

    fn setting(&self, name: &str) -> Result<&str> {
        let found = self
            .env
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str());
        found.with_context(|| format!("admin.env has no {name}"))
    }

    /// A connection with a token of the administrator.
    pub fn login(&self) -> Result<Http> {
        let mut http = Http::new(&self.origin)?;
        let auth = self.setting("OS_AUTH_URL")?;
        let path = auth
            .strip_prefix(&self.origin)
            .with_context(|| format!("OS_AUTH_URL is {auth}, not below {}", self.origin))?;
        let domain = json!({"name": self.setting("OS_USER_DOMAIN_NAME")?});
        let user =
            json!({"name": self.setting("OS_USERNAME")?, "domain": domain, "password": self.setting("OS_PASSWORD")?});
        let project = json!({"name": self.setting("OS_PROJECT_NAME")?, "domain": domain});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }});
        let answer = http.post(&format!("{path}/auth/tokens"), &body)?.expect(201, "login")?;
        http.token = Some(
            answer
                .header("x-subject-token")
                .context("login gave no token")?
                .to_owned(),
        );
        Ok(http)
    }

    /// No limit may stop a measurement.
    pub fn lift_quotas(&self) -> Result<()> {
        let listed: Value = serde_json::from_str(&self.climc(&["quota", "list", "-o", "json"])?)?;
        for quota in listed.as_array().into_iter().flatten() {
            let resource = quota["resource"].as_str().context("a quota has no resource")?;
            self.climc(&["quota", "set", resource, "-1"])?;
        }
        Ok(())
    }

    /// What servers are made of.
    pub fn furnish(&self, image: &Path, format: &str, cidr: &str) -> Result<()> {
        self.lift_quotas()?;
        let file = image.display().to_string();
        self.climc(&[
            "image", "create", "bench", "--file", &file, "--format", format, "--wait",
        ])?;
        self.climc(&["network", "create", "bench", "--cidr", cidr])?;
        self.climc(&[
            "flavor", "create", "bench", "--vcpus", "1", "--memory", "256M", "--disk", "1G",
        ])?;
        Ok(())
    }
}

fn origin_in(ready: &str) -> Option<String> {
    let at = ready.find("http://")?;
    ready[at..].split_whitespace().next().map(str::to_owned)
}

/// `export NAME='value'` lines.
fn environment(text: &str) -> Vec<(String, String)> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim_start_matches("export ").split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

pub fn server(name: &str) -> Value {
    json!({"name": name, "image": "bench", "flavor": "bench", "networks": ["bench"]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serve_prints_and_writes() {
        assert_eq!(
            origin_in("ready: keystone, region on http://127.0.0.1:81").as_deref(),
            Some("http://127.0.0.1:81")
        );
        let env = environment("export OS_A='b=c'\nOS_D=e\n");
        assert_eq!(
            env,
            [("OS_A", "b=c"), ("OS_D", "e")].map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
    }
}
