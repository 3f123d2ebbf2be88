//! PostgreSQL with every role a process of its own, and two of region and of scheduler.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use super::{Process, Site, program};

const KEYSTONE: u16 = 5000;
const GLANCE: u16 = 9292;
const GATEWAY: u16 = 8500;
const SCHEDULERS: [u16; 2] = [8601, 8602];
const REGIONS: [u16; 2] = [8701, 8702];

/// Processes that find each other: fixed ports on a loopback address that only this test's process has. Every one
/// knows both regions and both schedulers, so any of them may die.
pub struct Roles<'a> {
    site: &'a Site,
    database: String,
    singles: Vec<Process>,
    schedulers: [Option<Process>; 2],
    regions: [Option<Process>; 2],
}

impl<'a> Roles<'a> {
    pub fn start(site: &'a Site, database: &str) -> Self {
        let mut roles = Self {
            site,
            database: database.to_owned(),
            singles: Vec::new(),
            schedulers: [None, None],
            regions: [None, None],
        };
        // The process called `controller` is the one whose admin.env is read.
        roles.single("keystone", "controller", KEYSTONE);
        roles.single("glance", "glance", GLANCE);
        for n in [0, 1] {
            roles.start_scheduler(n);
            roles.start_region(n);
        }
        roles.single("apigateway", "gateway", GATEWAY);
        roles
    }

    /// Where agents join and climc logs in.
    pub fn origin(&self) -> String {
        origin(GATEWAY)
    }

    pub fn start_region(&mut self, n: usize) {
        let name = format!("region-{n}");
        self.regions[n] = Some(self.role("region", &name, REGIONS[n]));
    }

    pub fn start_scheduler(&mut self, n: usize) {
        let name = format!("scheduler-{n}");
        self.schedulers[n] = Some(self.role("scheduler", &name, SCHEDULERS[n]));
    }

    pub fn kill_region(&mut self, n: usize) {
        self.regions[n].take().unwrap().kill();
    }

    pub fn kill_scheduler(&mut self, n: usize) {
        self.schedulers[n].take().unwrap().kill();
    }

    /// The sum of what one region counted under this name.
    pub fn metric(&self, region: usize, name: &str) -> f64 {
        let mut stream = TcpStream::connect((host(), REGIONS[region])).unwrap();
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: metrics\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }

    /// Everybody that still lives ends well when asked to, the gateway first.
    pub fn stop(self) {
        let others = self.regions.into_iter().chain(self.schedulers).flatten();
        for process in self.singles.into_iter().rev().chain(others) {
            assert!(process.stop().success());
        }
    }

    fn single(&mut self, role: &str, name: &str, port: u16) {
        let process = self.role(role, name, port);
        self.singles.push(process);
    }

    fn role(&self, role: &str, name: &str, port: u16) -> Process {
        let mut command = program("isobar");
        command
            .args(["serve", "--role", role, "--listen", &format!("{}:{port}", host())])
            .env("ISOBAR_DATABASE_URL", &self.database)
            .env("ISOBAR_SERVICE_SECRET", "the-same-long-text-in-every-process")
            .env("ISOBAR_PUBLIC_URL", origin(GATEWAY))
            .env("ISOBAR_KEYSTONE_URL", origin(KEYSTONE))
            .env("ISOBAR_GLANCE_URL", origin(GLANCE))
            .env("ISOBAR_REGION_URL", REGIONS.map(origin).join(","))
            .env("ISOBAR_SCHEDULER_URL", SCHEDULERS.map(origin).join(","));
        let mut process = self.site.start(name, &mut command);
        process.ready();
        process
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
