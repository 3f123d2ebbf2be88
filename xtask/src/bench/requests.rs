//! On the simulated cloud: how long until a create is accepted, and how long a list of 100 of many servers takes.

use std::{fs, time::Duration};

use anyhow::{Context, Result};

use super::{
    Bench,
    database::{Database, Server},
    http::Http,
    seed,
    site::{self, Site},
    wait,
};

#[derive(Clone, Copy)]
pub enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// What is asked, and the same in SQL for the peer.
const LISTS: [(&str, &str, &str); 2] = [
    (
        "newest running",
        "/servers?state=running&sort=-created_at&limit=100",
        "state = 'running' ORDER BY created_at DESC, id DESC",
    ),
    (
        "by name",
        "/servers?state=running&name.contains=seed&sort=name&limit=100",
        "state = 'running' AND name LIKE '%seed%' ORDER BY name, id",
    ),
];

pub fn run(bench: &mut Bench, kind: Kind) -> Result<()> {
    let name = kind.name();
    let (mut server, mut url) = (None, None);
    if matches!(kind, Kind::Postgres) {
        url = bench.postgres.clone();
        if url.is_none() {
            url = Some(server.insert(Server::start(&bench.dir)?).url.clone());
        }
    }
    let site = Site::start(bench, name, url.as_deref())?;
    let data = site.data.clone();
    furnish(&site)?;
    posts(bench, &site, name)?;
    drop(site);

    let database = url
        .clone()
        .map_or_else(|| Database::Sqlite(data.join("isobar.db")), Database::Postgres);
    seed::servers(&database, bench.servers).context("the servers to list could not be written")?;
    let site = Site::start(bench, name, url.as_deref())?;
    lists(bench, &site, name, &database)
}

fn furnish(site: &Site) -> Result<()> {
    let image = site.data.join("image.raw");
    fs::write(&image, vec![0u8; 1 << 20]).context("an image cannot be written")?;
    let mut cloud = vec!["cloud-account", "create", "bench", "--driver", "sim", "--wait"];
    for option in ["hosts=50", "memory_per_host=256G", "disk_per_host=10T", "latency_ms=0"] {
        cloud.extend(["--option", option]);
    }
    site.climc(&cloud)?;
    site.furnish(&image, "raw", "10.64.0.0/16")
}

/// One after another on one connection, while earlier ones are being made. Beside: the cheapest request there is.
fn posts(bench: &mut Bench, site: &Site, name: &str) -> Result<()> {
    let (measure, peer) = (
        format!("POST /servers until 202, {name}"),
        format!("GET /healthz, {name}"),
    );
    bench.report.line(&measure, "ms", Some(&peer), None);
    let mut http = site.login()?;
    for round in 0..bench.rounds * 20 {
        let answer = http
            .post("/servers", &site::server(&format!("post-{round}")))?
            .expect(202, "POST /servers")?;
        bench.report.time(&measure, answer.took)?;
        bench
            .report
            .time(&peer, http.get("/healthz")?.expect(200, "GET /healthz")?.took)?;
    }
    quiet(&mut http)
}

/// Until no task is left.
fn quiet(http: &mut Http) -> Result<()> {
    wait::until(
        "all servers are made",
        Duration::from_secs(300),
        Duration::from_millis(200),
        || {
            let tasks = http
                .get("/tasks?state=queued,running&limit=1")?
                .expect(200, "GET /tasks")?
                .json()?;
            Ok(tasks["items"].as_array().is_some_and(Vec::is_empty).then_some(()))
        },
    )
}

/// Both lists and their peers by turns, so that noise falls on all of them.
fn lists(bench: &mut Bench, site: &Site, name: &str, database: &Database) -> Result<()> {
    let mut http = site.login()?;
    let goal = matches!(database, Database::Postgres(_)).then_some("p99 5 ms");
    let measures = LISTS.map(|(what, ..)| {
        let what = format!("100 of {}: {what}, {name}", bench.servers);
        (format!("psql, {what}"), what)
    });
    for (peer, measure) in &measures {
        bench.report.line(measure, "ms", Some(peer), goal);
    }
    let mine = format!(
        "project_id = (SELECT project_id FROM server WHERE name = '{}')",
        seed::MODEL
    );
    for round in 0..=bench.rounds {
        for ((_, path, sql), (peer, measure)) in LISTS.iter().zip(&measures) {
            let sql = format!("SELECT * FROM server WHERE {mine} AND {sql} LIMIT 101");
            let direct = database.times(&sql, 20)?;
            for _ in 0..20 {
                let answer = http.get(path)?.expect(200, path)?;
                // The first round fills caches.
                if round > 0 {
                    bench.report.time(measure, answer.took)?;
                }
            }
            direct
                .iter()
                .filter(|_| round > 0)
                .try_for_each(|took| bench.report.sample(peer, *took))?;
        }
    }
    full(&mut http)
}

/// A fast answer that is wrong would be worth nothing.
fn full(http: &mut Http) -> Result<()> {
    for (what, path, _) in LISTS {
        let page = http.get(path)?.json()?;
        let items = page["items"].as_array().context("a list without items")?;
        anyhow::ensure!(
            items.len() == 100 && items.iter().all(|item| item["state"] == "running"),
            "the list `{what}` is wrong"
        );
    }
    Ok(())
}
