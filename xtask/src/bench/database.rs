//! The databases under measurement, as their own command line programs see them: sqlite3 and psql.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::command::{feed, output};

pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    /// Runs SQL that may be many statements; what it prints, one row a line.
    pub fn run(&self, sql: &str) -> Result<String> {
        match self {
            Self::Sqlite(file) => feed(Command::new("sqlite3").args(["-batch", "-bail"]).arg(file), sql),
            Self::Postgres(url) => feed(psql(url).args(["-v", "ON_ERROR_STOP=1", "-qAt"]), sql),
        }
    }

    pub fn columns(&self, table: &str) -> Result<Vec<String>> {
        let sql = match self {
            Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}');"),
            Self::Postgres(_) => format!(
                "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position;"
            ),
        };
        let columns: Vec<_> = self.run(&sql)?.lines().map(str::to_owned).collect();
        if columns.is_empty() {
            bail!("there is no table {table}");
        }
        Ok(columns)
    }

    /// Milliseconds of the same query `times` times on one connection, as psql measures it; nothing for SQLite.
    pub fn times(&self, sql: &str, times: usize) -> Result<Vec<f64>> {
        let Self::Postgres(url) = self else {
            return Ok(Vec::new());
        };
        let script = format!("\\timing on\n\\o /dev/null\n{}", format!("{sql};\n").repeat(times));
        let said = feed(psql(url).args(["-v", "ON_ERROR_STOP=1", "-qAt"]), &script)?;
        let times = said
            .lines()
            .filter_map(|line| line.strip_prefix("Time: ")?.split(' ').next()?.parse().ok());
        Ok(times.collect())
    }
}

fn psql(url: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.arg("-X").arg(url);
    psql
}

/// A PostgreSQL of our own with its usual settings, fsync included. Stops and goes with its owner.
pub struct Server {
    dir: PathBuf,
    pub url: String,
}

impl Server {
    pub fn start(dir: &Path) -> Result<Self> {
        let dir = dir.join("postgres");
        fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
        if super::small::is_root() {
            // PostgreSQL refuses to run as root.
            output(Command::new("chown").arg("postgres").arg(&dir)).context("there is no user postgres")?;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())?
            .port();
        let data = dir.join("data");
        output(
            as_postgres("initdb")?
                .arg("-D")
                .arg(&data)
                .args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]),
        )?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let server = Self { dir, url };
        let options = format!("-p {port} -h 127.0.0.1 -k {}", server.dir.display());
        let log = server.dir.join("log");
        output(
            as_postgres("pg_ctl")?
                .arg("-D")
                .arg(&data)
                .arg("-l")
                .arg(log)
                .args(["-w", "-o", &options, "start"]),
        )?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(mut stop) = as_postgres("pg_ctl") {
            drop(output(stop.arg("-D").arg(self.dir.join("data")).args([
                "-m",
                "immediate",
                "stop",
            ])));
        }
        drop(fs::remove_dir_all(&self.dir));
    }
}

fn as_postgres(program: &str) -> Result<Command> {
    let path = find(program)?;
    if !super::small::is_root() {
        return Ok(Command::new(path));
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(path).current_dir("/");
    Ok(command)
}

/// Debian keeps the server's programs away from PATH. The newest version wins.
fn find(program: &str) -> Result<PathBuf> {
    let mut versions: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path().join("bin").join(program))
                .filter(|path| path.exists())
                .collect()
        })
        .unwrap_or_default();
    versions.sort();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut elsewhere = std::env::split_paths(&on_path)
        .map(|dir| dir.join(program))
        .filter(|path| path.exists());
    versions
        .pop()
        .or_else(|| elsewhere.next())
        .with_context(|| format!("{program} is missing: run tools/install test"))
}
