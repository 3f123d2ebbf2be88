//! PostgreSQL, every role a process of its own, two of region and of scheduler: one region dies at work, the other goes on.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use crate::{
    kill::{all_well, prepare},
    kit::{Lab, Process, Site, postgres, program, wait_until},
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
    let schedulers = [8601, 8602].map(|port| installation.role("scheduler", &format!("scheduler-{port}"), port, &[]));
    let first = installation.region(8701, 8601);
    let second = installation.region(8702, 8602);
    let gateway = installation.role(
        "apigateway",
        "gateway",
        GATEWAY,
        &[("REGION", 8701), ("SCHEDULER", 8601)],
    );

    let state = site.path("sim.journal");
    let lab = Lab::open(&state);
    prepare(
        &site,
        &format!("--option state={} --option latency_ms=400", state.display()),
    );
    site.ok("server create web --image tiny --flavor small --network lan --count 20");
    // The replica that the gateway does not know works too: its steps are counted in its own metrics.
    wait_until("the second region works", 60, || {
        installation.metric(8702, "isobar_task_step_seconds_count") > 4.0
    });
    assert!(
        lab.machines() < 20,
        "the second region is to die before the work is done"
    );
    second.kill();

    site.settled(120);
    assert!(
        installation.metric(8701, "isobar_task_takeovers_total") > 0.0,
        "the first took over what the second left"
    );
    all_well(&site, &lab);

    // And back: a region that starts anew takes part.
    let second = installation.region(8702, 8602);
    let names = site.ok("server list -o name").replace('\n', " ");
    site.ok(&format!("server delete {names} --yes --wait"));
    site.no_leaks();
    lab.is_empty();
    for process in [gateway, first, second, glance, keystone].into_iter().chain(schedulers) {
        assert!(process.stop().success());
    }
}

const GATEWAY: u16 = 8500;

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

    fn region(&self, port: u16, scheduler: u16) -> Process {
        self.role("region", &format!("region-{port}"), port, &[("SCHEDULER", scheduler)])
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
