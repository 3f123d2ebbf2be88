//! PostgreSQL, every role a process of its own, two of region and of scheduler: one region dies at work, the other goes on.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use crate::{
    kill::{all_well, prepare},
    kit::{Lab, Process, Site, postgres, program, wait},
};

#[test]
fn postgres_roles_and_replicas() {
    let site = Site::new();
    let (_database, url) = postgres();
    let installation = Installation {
        site: &site,
        database: url,
    };
    let keystone = installation.role("keystone", "controller", 5000, &[]);
    let glance = installation.role("glance", "glance", 9292, &[]);
    let schedulers = SCHEDULERS.map(|port| installation.role("scheduler", &format!("scheduler-{port}"), port, &[]));
    let mut regions = [0, 1].map(|n| Some(installation.region(n)));
    let gateway = installation.gateway(0);

    let state = site.path("sim.journal");
    let lab = Lab::open(&state);
    prepare(
        &site,
        &format!("--option state={} --option latency_ms=400", state.display()),
    );
    let before = [0, 1].map(|n| installation.metric(REGIONS[n], STEPS));
    site.ok("server create web --image tiny --flavor small --network lan --count 20");
    // Either may have taken the work, and takes it in batches: the one that has some is the one to die.
    let works = |n: &usize| installation.metric(REGIONS[*n], STEPS) > before[*n] + 4.0;
    let victim = wait("a region makes servers", 120, || [0, 1].into_iter().find(works));
    assert!(lab.machines() < 20, "it is to die before the work is done");
    regions[victim].take().unwrap().kill();
    let survivor = 1 - victim;
    assert!(gateway.stop().success());
    let gateway = installation.gateway(survivor);

    site.settled(120);
    let takeovers = installation.metric(REGIONS[survivor], "isobar_task_takeovers_total");
    assert!(takeovers > 0.0, "one region takes over what the other left");
    all_well(&site, &lab);

    // A region that starts anew takes part.
    regions[victim] = Some(installation.region(victim));
    let names = site.ok("server list -o name").replace('\n', " ");
    site.ok(&format!("server delete {names} --yes --wait"));
    site.no_leaks();
    lab.is_empty();
    let regions = regions.into_iter().flatten();
    for process in [gateway, glance, keystone].into_iter().chain(regions).chain(schedulers) {
        assert!(process.stop().success());
    }
}

const STEPS: &str = "isobar_task_step_seconds_count";
const GATEWAY: u16 = 8500;
const SCHEDULERS: [u16; 2] = [8601, 8602];
const REGIONS: [u16; 2] = [8701, 8702];

/// Processes that find each other: fixed ports on a loopback address that only this test has.
struct Installation<'a> {
    site: &'a Site,
    database: String,
}

impl Installation<'_> {
    /// One role, told where the common services and those of `others` are.
    fn role(&self, role: &str, name: &str, port: u16, others: &[(&str, u16)]) -> Process {
        let mut command = program("isobar");
        command
            .args(["serve", "--role", role, "--listen", &format!("{}:{port}", host())])
            .env("ISOBAR_DATABASE_URL", &self.database)
            .env("ISOBAR_SERVICE_SECRET", "the-same-long-text-in-every-process")
            .env("ISOBAR_PUBLIC_URL", origin(GATEWAY));
        for (service, port) in [("KEYSTONE", 5000), ("GLANCE", 9292)].iter().chain(others) {
            command.env(format!("ISOBAR_{service}_URL"), origin(*port));
        }
        let mut process = self.site.start(name, &mut command);
        process.ready();
        process
    }

    /// Each region has a scheduler of its own.
    fn region(&self, n: usize) -> Process {
        let port = REGIONS[n];
        self.role(
            "region",
            &format!("region-{port}"),
            port,
            &[("SCHEDULER", SCHEDULERS[n])],
        )
    }

    /// The gateway, which knows one region at a time.
    fn gateway(&self, n: usize) -> Process {
        let others = [("REGION", REGIONS[n]), ("SCHEDULER", SCHEDULERS[n])];
        self.role("apigateway", "gateway", GATEWAY, &others)
    }

    /// The sum of what one process counted under this name.
    fn metric(&self, port: u16, name: &str) -> f64 {
        let mut stream = TcpStream::connect((host(), port)).unwrap();
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: metrics\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }
}

fn origin(port: u16) -> String {
    format!("http://{}:{port}", host())
}

/// An address of this machine made from our process id: all of 127.0.0.0/8 is loopback.
fn host() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high, middle, low)
}
