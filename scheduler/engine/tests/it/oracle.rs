//! Traces of random operations: after every one the engine answers as brute force does, and claims fit.

use engine::{Demand, Filter, Plan, Request, Snapshot, explain, forecast, place, place_next};
use types::HostId;

use crate::{
    brute::{self, Choice, Refusal, World},
    trace::Rng,
};

/// The engine and the oracle side by side, with what was claimed on both.
struct Pair {
    rng: Rng,
    world: World,
    snapshot: Snapshot,
    claims: Vec<(HostId, Demand)>,
    asked: Vec<Request>,
    placed: usize,
    refused: usize,
}

/// A million operations in all; the seeds run beside each other.
#[test]
fn every_choice_equals_brute_force() {
    let trace = |seed| {
        let mut pair = Pair::new(seed);
        (0..125_000).for_each(|_| pair.step());
        (pair.placed, pair.refused)
    };
    let (mut placed, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        let traces: Vec<_> = (1..=8).map(|seed| scope.spawn(move || trace(seed))).collect();
        for trace in traces {
            let counts = trace.join().unwrap();
            placed += counts.0;
            refused += counts.1;
        }
    });
    assert!(
        placed > 100_000 && refused > 100_000,
        "too one-sided: {placed} placed, {refused} refused"
    );
}

#[test]
fn claims_never_exceed_capacity() {
    for seed in 100..110 {
        let mut pair = Pair::new(seed);
        for _ in 0..400 {
            pair.place();
            pair.release();
        }
        assert!(pair.placed > 50, "only {} placed", pair.placed);
        for host in pair.snapshot.hosts() {
            assert!(host.vcpus.free() >= 0 && host.memory.free() >= 0, "{host:?}");
        }
        for storage in &pair.world.storages {
            assert!(
                pair.snapshot.storage(storage.id).unwrap().space.free() >= 0,
                "{storage:?}"
            );
        }
    }
}

#[test]
fn a_snapshot_grown_by_changes_equals_one_made_at_once() {
    for seed in 200..206 {
        let mut pair = Pair::new(seed);
        for _ in 0..300 {
            pair.step();
            let request = pair.rng.request();
            let hosts = pair.world.hosts.iter().rev().cloned().collect();
            let fresh = Snapshot::new(hosts, pair.world.storages.clone());
            let plan = place(&pair.snapshot, &request);
            assert_eq!(plan, place(&fresh, &request));
            assert_eq!(travelled(&plan), plan);
            assert_eq!(travelled(&request), request);
            assert_eq!(explain(&pair.snapshot, &request), explain(&fresh, &request));
            assert_eq!(forecast(&pair.snapshot, &request), forecast(&fresh, &request));
        }
    }
}

#[test]
fn a_forecast_is_what_can_be_placed_and_not_one_more() {
    let mut rooms = 0;
    for seed in 300..310 {
        let mut pair = Pair::new(seed);
        for _ in 0..100 {
            pair.step();
            let mut request = Request {
                vcpus: 1,
                ..pair.rng.request()
            };
            let forecast = forecast(&pair.snapshot, &request);
            assert_eq!(explain(&pair.snapshot, &request).fit as usize, forecast.hosts.len());
            for room in forecast.hosts {
                rooms += 1;
                request.host = Some(room.host);
                request.count = room.more;
                assert!(brute::place(&pair.world, &request).is_ok(), "{request:?}");
                request.count += 1;
                assert!(brute::place(&pair.world, &request).is_err(), "{request:?}");
            }
        }
    }
    assert!(rooms > 500, "only {rooms} rooms");
}

/// What arrives when a value is sent as JSON.
fn travelled<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

impl Pair {
    fn new(seed: u64) -> Self {
        let mut pair = Self {
            rng: Rng::new(seed),
            world: World::default(),
            snapshot: Snapshot::default(),
            claims: Vec::new(),
            asked: Vec::new(),
            placed: 0,
            refused: 0,
        };
        for _ in 0..25 {
            pair.change_host();
            pair.change_storage();
        }
        pair
    }

    fn step(&mut self) {
        match self.rng.below(20) {
            0..10 => self.place(),
            10..15 => self.release(),
            15..17 => self.change_host(),
            17 => self.change_storage(),
            18 => self.toggle(),
            _ => self.take_away(),
        }
    }

    /// Mostly one that was asked before, so that kept rankings meet changes of every kind.
    fn request(&mut self) -> Request {
        if self.asked.len() < 24 {
            self.asked.push(self.rng.request());
        } else if self.rng.once_in(4) {
            let at = self.rng.below(24) as usize;
            self.asked[at] = self.rng.request();
        }
        self.rng.pick(&self.asked)
    }

    fn place(&mut self) {
        let request = self.request();
        let plan = place_next(&mut self.snapshot, &request);
        match (plan, brute::place(&self.world, &request)) {
            (Plan::Placed(ours), Ok(theirs)) => {
                self.placed += 1;
                let got: Vec<_> = ours
                    .iter()
                    .map(|p| (p.host, p.storages.clone(), i128::from(p.score)))
                    .collect();
                let want: Vec<_> = theirs.iter().map(|c| (c.host, c.storages.clone(), c.score)).collect();
                assert_eq!(got, want, "{request:?}");
                for (placement, choice) in ours.iter().zip(&theirs) {
                    assert_eq!(
                        placement.score,
                        placement.why.iter().map(|points| points.points).sum::<i64>()
                    );
                    assert_eq!(request.demand(placement), brute::demand(&request, choice));
                    self.claim(&request, choice);
                }
            }
            (Plan::NoFit(ours), Err(theirs)) => {
                self.refused += 1;
                assert_eq!(ours.fit, 0);
                let got = Refusal {
                    considered: ours.considered,
                    placed: ours.placed,
                    removed: ours
                        .removed
                        .iter()
                        .map(|removed| (removed.filter, removed.hosts))
                        .collect(),
                    fewest_lacks: ours.nearest.first().map(|miss| {
                        let elsewhere = miss.lacks.iter().filter(|lack| lack.filter.is_place()).count();
                        (elsewhere, miss.lacks.len())
                    }),
                };
                assert_eq!(got, theirs, "{request:?}");
                let numbers = ours.removed.iter().filter(|removed| removed.filter >= Filter::Cpu);
                assert!({ numbers }.all(|removed| removed.nearest.is_some()));
            }
            (ours, theirs) => panic!("{request:?}: {ours:?}, brute force {}", theirs.is_ok()),
        }
    }

    /// Charges both sides; what was just claimed fits, whatever happened to the host before.
    fn claim(&mut self, request: &Request, choice: &Choice) {
        let demand = brute::demand(request, choice);
        self.world.book(choice.host, &demand, 1);
        self.snapshot.charge(choice.host, &demand).unwrap();
        let host = self.snapshot.host(choice.host).unwrap();
        assert!(host.vcpus.free() >= 0 && host.memory.free() >= 0, "{host:?}");
        for id in &choice.storages {
            assert!(self.snapshot.storage(*id).unwrap().space.free() >= 0, "{id}");
        }
        self.claims.push((choice.host, demand));
    }

    fn release(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let at = self.rng.below(self.claims.len() as u64) as usize;
        let (host, demand) = self.claims.swap_remove(at);
        match self.snapshot.release(host, &demand) {
            Ok(()) => self.world.book(host, &demand, -1),
            Err(unknown) => assert!(self.world.hosts.iter().all(|known| known.id != unknown.0)),
        }
    }

    fn change_host(&mut self) {
        let host = self.rng.host();
        self.world.hosts.retain(|known| known.id != host.id);
        self.world.hosts.push(host.clone());
        self.snapshot.upsert(host);
    }

    fn change_storage(&mut self) {
        let storage = self.rng.storage();
        self.world.storages.retain(|known| known.id != storage.id);
        self.world.storages.push(storage.clone());
        self.snapshot.upsert_storage(storage);
    }

    fn toggle(&mut self) {
        let id = self.rng.host_id();
        if let Some(mut host) = self.snapshot.host(id).cloned() {
            host.enabled = !host.enabled;
            self.world.host(id).enabled = host.enabled;
            self.snapshot.upsert(host);
        }
    }

    fn take_away(&mut self) {
        let (host, storage) = (self.rng.host_id(), self.rng.storage_id());
        self.world.hosts.retain(|known| known.id != host);
        self.snapshot.remove(host);
        if self.rng.once_in(3) {
            self.world.storages.retain(|known| known.id != storage);
            self.snapshot.remove_storage(storage);
        }
    }
}
