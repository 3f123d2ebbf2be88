//! Measures decisions on one core: `cargo xtask bench scheduler [HOSTS ...]`. Prints one JSON object a line.
//! Ranked and plain decisions take turns in the same run, on the same hosts, and must choose the same.

use std::{fs, time::Instant};

use engine::{Amount, Disk, Host, Plan, Request, Snapshot, Storage, Tags, place, place_next};
use types::{AccountId, HostId, NetworkId, Size, StorageId, ZoneId, states};
use uuid::Uuid;

const ROUNDS: usize = 5;
const PLACEMENTS: usize = 40_000;
/// Hosts looked at by each scan that is timed: some kernels count the time of threads in steps of 4 ms.
const LOOKS: u32 = 3_000_000;

fn main() {
    let sizes: Vec<u32> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        vec![1000, 10_000, 100_000]
    } else {
        sizes
    };
    sizes.into_iter().for_each(measure);
}

fn measure(hosts: u32) {
    let plain: (Vec<Host>, Vec<Storage>) = (0..hosts).map(|n| (host(n), storage(n))).unzip();
    let (rss, begun) = (resident(), Instant::now());
    let mut snapshot = Snapshot::new(plain.0.clone(), plain.1.clone());
    let (load, bytes) = (begun.elapsed(), resident().saturating_sub(rss));
    let mut plain = plain;
    for at in 0..4 {
        place_next(&mut snapshot, &request(at));
    }
    let ranked_bytes = resident().saturating_sub(rss);
    for round in 0..ROUNDS {
        let ranked = ranked(&mut snapshot, &mut plain);
        if ranked.count < PLACEMENTS {
            eprintln!("{hosts} hosts are full after {round} rounds");
            return;
        }
        let request = request(round);
        let (scanned, scan) = timed(hosts, || place(&snapshot, &request));
        let (chosen, objects) = timed(hosts, || best(&plain.0, &plain.1, &request));
        assert_eq!(first(&scanned), chosen, "both must choose the same host");
        println!(
            r#"{{"hosts":{hosts},"round":{round},"ranked_per_second":{:.0},"p50_ns":{},"p99_ns":{},"scan_ns_per_host":{:.2},"plain_ns_per_host":{:.2},"load_ms":{},"bytes_per_host":{},"with_4_rankings":{}}}"#,
            1e9 / ranked.mean,
            ranked.p50,
            ranked.p99,
            scan,
            objects,
            load.as_millis(),
            bytes / u64::from(hosts),
            ranked_bytes / u64::from(hosts),
        );
    }
}

struct Ranked {
    count: usize,
    /// Thread CPU of a decision with its charge, in nanoseconds.
    mean: f64,
    /// Wall clock of the same.
    p50: u128,
    p99: u128,
}

/// Four shapes in turn; each placement is charged before the next. What was placed is then taken from the objects too.
fn ranked(snapshot: &mut Snapshot, plain: &mut (Vec<Host>, Vec<Storage>)) -> Ranked {
    let requests: Vec<Request> = (0..4).map(request).collect();
    let mut taken = Vec::with_capacity(PLACEMENTS);
    let mut walls = Vec::with_capacity(PLACEMENTS);
    let cpu = thread_cpu();
    for at in 0..PLACEMENTS {
        let begun = Instant::now();
        let request = &requests[at % requests.len()];
        let Plan::Placed(placements) = place_next(snapshot, request) else {
            break;
        };
        let placement = &placements[0];
        snapshot
            .charge(placement.host, &request.demand(placement))
            .expect("the host was just chosen from it");
        walls.push(begun.elapsed().as_nanos());
        taken.push((placement.host, at % requests.len()));
    }
    let mean = (thread_cpu() - cpu) as f64 / taken.len().max(1) as f64;
    for (id, shape) in &taken {
        let at = plain.0.binary_search_by_key(id, |host| host.id).expect("ids ascend");
        let request = &requests[*shape];
        plain.0[at].vcpus.used += i64::from(request.vcpus);
        plain.0[at].memory.used += request.memory.as_bytes() as i64;
        plain.1[at].space.used += request.disks[0].size.as_bytes() as i64;
    }
    walls.sort_unstable();
    let share = |part: usize| walls.get(walls.len() * part / 100).copied().unwrap_or(0);
    Ranked {
        count: taken.len(),
        mean,
        p50: share(50),
        p99: share(99),
    }
}

/// A scheduler of the plain kind: a list of objects, a chain of predicates, the best score.
fn best(hosts: &[Host], storages: &[Storage], request: &Request) -> Option<HostId> {
    let fits = |(host, storage): &(&Host, &Storage)| {
        host.takes_servers()
            && request.zone == host.zone
            && request.architecture.as_ref() == Some(&host.architecture)
            && request.networks.is_subset(&host.networks)
            && request.tags.require.iter().all(|tag| host.tags.contains_key(tag))
            && host.vcpus.free() >= i64::from(request.vcpus)
            && host.memory.free() >= request.memory.as_bytes() as i64
            && storage.space.free() >= request.disks[0].size.as_bytes() as i64
    };
    let share = |amount: &Amount, more: i64| (amount.free() - more) * 1000 / amount.limit();
    let score = |host: &Host, storage: &Storage| {
        share(&host.vcpus, i64::from(request.vcpus))
            + share(&host.memory, request.memory.as_bytes() as i64)
            + share(&storage.space, request.disks[0].size.as_bytes() as i64)
    };
    let fitting = hosts.iter().zip(storages).filter(fits);
    let best = fitting.max_by_key(|(host, storage)| (score(host, storage), std::cmp::Reverse(host.id)));
    best.map(|(host, _)| host.id)
}

fn first(plan: &Plan) -> Option<HostId> {
    match plan {
        Plan::Placed(placements) => placements.first().map(|placement| placement.host),
        Plan::NoFit(_) => None,
    }
}

/// The last answer, and nanoseconds for each host.
fn timed<T>(hosts: u32, work: impl Fn() -> T) -> (T, f64) {
    let times = (LOOKS / hosts).max(1);
    let cpu = thread_cpu();
    let mut value = work();
    for _ in 1..times {
        value = std::hint::black_box(work());
    }
    let each = f64::from(times) * f64::from(hosts);
    (value, (thread_cpu() - cpu) as f64 / each)
}

/// Nanoseconds this thread has run, as the kernel counts them.
fn thread_cpu() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    let first = text.split_whitespace().next();
    first
        .and_then(|word| word.parse().ok())
        .expect("its first word is a number")
}

fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").expect("Linux counts the memory of processes");
    let pages: Option<u64> = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    pages.expect("its second word is a number") * 4096
}

fn request(at: usize) -> Request {
    let n = at as u32 % 4;
    Request {
        vcpus: 1 + n,
        memory: Size::gib(2 + 2 * i64::from(n)),
        disks: vec![Disk {
            size: Size::gib(10 + 10 * i64::from(n)),
            ..Disk::default()
        }],
        zone: Some(ZoneId::from_uuid(uuid(n % 2))),
        architecture: Some("x86_64".to_owned()),
        networks: [NetworkId::from_uuid(uuid(0))].into(),
        tags: Tags {
            require: vec!["ssd".to_owned()],
            ..Tags::default()
        },
        ..Request::default()
    }
}

fn host(n: u32) -> Host {
    let tag = if n.is_multiple_of(5) { "hdd" } else { "ssd" };
    Host {
        id: HostId::from_uuid(uuid(n)),
        name: format!("host-{n}"),
        zone: Some(ZoneId::from_uuid(uuid(n % 2))),
        account: AccountId::from_uuid(uuid(0)),
        driver: "kvm".to_owned(),
        hypervisor: "kvm".to_owned(),
        architecture: if n.is_multiple_of(7) { "aarch64" } else { "x86_64" }.to_owned(),
        state: states::Host::Ready,
        enabled: true,
        tags: [(tag.to_owned(), String::new())].into(),
        vcpus: Amount {
            ratio: 8000,
            ..Amount::of(64 + i64::from(n % 3) * 32)
        },
        memory: Amount::of((1024 + i64::from(n % 4) * 256) << 30),
        storages: [StorageId::from_uuid(uuid(n))].into(),
        networks: (0..2 - u32::from(n.is_multiple_of(11)))
            .map(|network| NetworkId::from_uuid(uuid(1 - network)))
            .collect(),
        images: Default::default(),
        groups: Default::default(),
    }
}

fn storage(n: u32) -> Storage {
    Storage {
        id: StorageId::from_uuid(uuid(n)),
        name: format!("local-{n}"),
        class: "local".to_owned(),
        tags: Default::default(),
        enabled: true,
        space: Amount::of(8 << 40),
    }
}

fn uuid(n: u32) -> Uuid {
    Uuid::from_u128(n.into())
}
