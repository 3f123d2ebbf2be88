//! The roles as processes of their own on one PostgreSQL, or all of them in one on SQLite; any of them may be killed.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
};

use super::{Process, Site, program};

const KEYSTONE: u16 = 5000;
const GLANCE: u16 = 9292;
const GATEWAY: u16 = 8500;
const SCHEDULERS: u16 = 8601;
const REGIONS: u16 = 8701;
/// What `--role` takes.
const EVERY_ROLE: &str = "keystone,region,scheduler,glance,apigateway";

/// Processes that find each other: fixed ports on a loopback address that only this test's process has. Every one
/// knows all regions and both schedulers, so any of them may die.
pub struct Roles<'a> {
    site: &'a Site,
    /// `None` is SQLite.
    database: Option<String>,
    members: Vec<Member>,
}

struct Member {
    name: String,
    role: &'static str,
    port: u16,
    process: Option<Process>,
}

impl<'a> Roles<'a> {
    /// On PostgreSQL, with two regions and two schedulers.
    pub fn start(site: &'a Site, database: &str) -> Self {
        Self::with_regions(site, database, 2)
    }

    pub fn with_regions(site: &'a Site, database: &str, regions: u16) -> Self {
        let mut members = vec![
            // The process called `controller` is the one whose admin.env is read.
            member("controller", "keystone", KEYSTONE),
            member("glance", "glance", GLANCE),
        ];
        members.extend((0..2).map(|n| member(&format!("scheduler-{n}"), "scheduler", SCHEDULERS + n)));
        members.extend((0..regions).map(|n| member(&format!("region-{n}"), "region", REGIONS + n)));
        members.push(member("gateway", "apigateway", GATEWAY));
        Self::bring_up(site, Some(database.to_owned()), members)
    }

    /// All roles in one process on SQLite, at the same origin whenever it is started.
    pub fn alone(site: &'a Site) -> Self {
        Self::bring_up(site, None, vec![member("controller", EVERY_ROLE, GATEWAY)])
    }

    fn bring_up(site: &'a Site, database: Option<String>, members: Vec<Member>) -> Self {
        let mut roles = Self {
            site,
            database,
            members,
        };
        for n in 0..roles.members.len() {
            roles.launch(n).ready();
        }
        roles
    }

    /// Where agents join and climc logs in.
    pub fn origin(&self) -> String {
        origin(GATEWAY)
    }

    /// Who there is: `region-0`, `gateway`.
    pub fn names(&self) -> Vec<String> {
        self.members.iter().map(|member| member.name.clone()).collect()
    }

    pub fn kill(&mut self, name: &str) {
        let n = self.find(name);
        self.members[n].process.take().unwrap().kill();
    }

    /// Starts one that was killed. It need not be ready yet: see [`Roles::ready`].
    pub fn start_again(&mut self, name: &str) {
        let n = self.find(name);
        self.launch(n);
    }

    /// Starts those again that ended before they were ready, as a service manager would: nobody can start while the
    /// database is away. Who was ready never ends by itself.
    pub fn revive(&mut self) {
        for n in 0..self.members.len() {
            let Member { name, process, .. } = &mut self.members[n];
            let Some(process) = process else { continue };
            if let Some(status) = process.ended() {
                assert!(!process.was_ready(), "{name} ended by itself: {status}");
                self.launch(n);
            }
        }
    }

    /// Whether everybody serves.
    pub fn ready(&mut self) -> bool {
        self.revive();
        let mut processes = self.members.iter().filter_map(|member| member.process.as_ref());
        processes.all(Process::was_ready)
    }

    /// The sum of what one region counted under this name.
    pub fn metric(&self, region: u16, name: &str) -> f64 {
        let mut stream = TcpStream::connect((host(), REGIONS + region)).unwrap();
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
        let processes = self.members.into_iter().rev().filter_map(|member| member.process);
        for process in processes {
            assert!(process.stop().success());
        }
    }

    fn find(&self, name: &str) -> usize {
        let found = self.members.iter().position(|member| member.name == name);
        found.unwrap_or_else(|| panic!("there is no process {name}"))
    }

    fn launch(&mut self, n: usize) -> &mut Process {
        let mut command = program("isobar");
        let Member { name, role, port, .. } = &self.members[n];
        command.args(["serve", "--role", role, "--listen", &format!("{}:{port}", host())]);
        if let Some(url) = &self.database {
            command
                .env("ISOBAR_DATABASE_URL", url)
                .env("ISOBAR_SERVICE_SECRET", "the-same-long-text-in-every-process")
                .env("ISOBAR_PUBLIC_URL", origin(GATEWAY))
                .env("ISOBAR_KEYSTONE_URL", origin(KEYSTONE))
                .env("ISOBAR_GLANCE_URL", origin(GLANCE))
                .env("ISOBAR_REGION_URL", self.replicas("region"))
                .env("ISOBAR_SCHEDULER_URL", self.replicas("scheduler"));
        }
        let process = self.site.start(name, &mut command);
        self.members[n].process.insert(process)
    }

    fn replicas(&self, role: &str) -> String {
        let same = self.members.iter().filter(|member| member.role == role);
        same.map(|member| origin(member.port)).collect::<Vec<_>>().join(",")
    }
}

fn member(name: &str, role: &'static str, port: u16) -> Member {
    Member {
        name: name.to_owned(),
        role,
        port,
        process: None,
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
