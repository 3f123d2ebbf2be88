//! Seeded random hosts, storages and requests: small worlds in which everything collides often.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Amount, Disk, Group, Host, Request, Rule, Storage, Strategy, Tags, Weights};
use types::{AccountId, HostId, NetworkId, Size, StorageId, ZoneId, states};
use uuid::Uuid;

/// xorshift64*: the same numbers on every machine.
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }

    fn maybe<T>(&mut self, once_in: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.once_in(once_in).then(|| make(self))
    }

    fn some<T: Ord>(&mut self, most: u64, make: impl Fn(&mut Self) -> T) -> BTreeSet<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn word(&mut self, kind: &str, n: u64) -> String {
        format!("{kind}{}", self.below(n))
    }

    fn selector(&mut self) -> String {
        let key = self.word("t", 4);
        if self.once_in(2) {
            format!("{key}={}", self.word("v", 2))
        } else {
            key
        }
    }

    fn selectors(&mut self, once_in: u64) -> Vec<String> {
        self.maybe(once_in, |rng| rng.some(2, Self::selector))
            .unwrap_or_default()
            .into_iter()
            .collect()
    }

    fn tags(&mut self) -> BTreeMap<String, String> {
        self.some(3, |rng| (rng.word("t", 4), rng.word("v", 2)))
            .into_iter()
            .collect()
    }

    pub fn network(&mut self) -> NetworkId {
        NetworkId::from_uuid(Uuid::from_u128(self.below(3).into()))
    }

    pub fn storage_id(&mut self) -> StorageId {
        StorageId::from_uuid(Uuid::from_u128(self.below(STORAGES).into()))
    }

    pub fn host_id(&mut self) -> HostId {
        HostId::from_uuid(Uuid::from_u128(self.below(HOSTS).into()))
    }

    fn amount(&mut self, total: i64) -> Amount {
        Amount {
            total,
            reserved: self.below(3) as i64 * total / 10,
            used: self.below(3) as i64 * total / 10,
            ratio: self.pick(&[1000, 1000, 1500, 2000, 900]),
        }
    }

    pub fn host(&mut self) -> Host {
        let id = self.host_id();
        let vcpus = self.below(16) as i64;
        let memory = (self.below(32) as i64) << 30;
        let states = [
            states::Host::Ready,
            states::Host::Ready,
            states::Host::Ready,
            states::Host::Lost,
        ];
        Host {
            id,
            name: id.to_string(),
            zone: self.maybe(2, |rng| ZoneId::from_uuid(Uuid::from_u128(rng.below(2).into()))),
            account: AccountId::from_uuid(Uuid::from_u128(self.below(2).into())),
            driver: self.word("driver", 2),
            hypervisor: self.word("hypervisor", 2),
            architecture: self.word("architecture", 2),
            state: self.pick(&states),
            enabled: !self.once_in(10),
            tags: self.tags(),
            vcpus: self.amount(vcpus),
            memory: self.amount(memory),
            storages: self.some(3, Self::storage_id),
            networks: self.some(3, Self::network),
            images: self.some(2, |rng| rng.word("image", 3)),
            groups: self
                .some(1, |rng| (rng.word("g", 3), 1 + rng.below(2) as u32))
                .into_iter()
                .collect(),
        }
    }

    pub fn storage(&mut self) -> Storage {
        let id = self.storage_id();
        let total = (self.below(60) as i64) << 30;
        Storage {
            id,
            name: id.to_string(),
            class: self.word("class", 2),
            tags: self.tags(),
            enabled: !self.once_in(10),
            space: self.amount(total),
        }
    }

    fn disk(&mut self) -> Disk {
        Disk {
            size: Size::gib(self.below(12) as i64),
            class: self.maybe(4, |rng| rng.word("class", 2)),
            storage: self.maybe(12, Self::storage_id),
            tags: self.selectors(8),
        }
    }

    fn group(&mut self) -> Group {
        Group {
            name: self.word("g", 3),
            rule: self.pick(&[Rule::Together, Rule::Apart, Rule::PreferTogether, Rule::PreferApart]),
        }
    }

    fn weights(&mut self) -> Weights {
        let mut weight = || self.below(5) as i32 - 1;
        Weights {
            cpu: weight(),
            memory: weight(),
            storage: weight(),
            image: weight(),
            prefer: weight(),
            avoid: weight(),
            group: weight(),
            last_host: weight(),
        }
    }

    pub fn request(&mut self) -> Request {
        Request {
            vcpus: self.below(4) as u32,
            memory: Size::gib(self.below(6) as i64),
            disks: (0..self.below(4)).map(|_| self.disk()).collect(),
            networks: self.maybe(2, |rng| rng.some(2, Self::network)).unwrap_or_default(),
            host: self.maybe(15, Self::host_id),
            account: self.maybe(8, |rng| AccountId::from_uuid(Uuid::from_u128(rng.below(2).into()))),
            driver: self.maybe(8, |rng| rng.word("driver", 2)),
            zone: self.maybe(8, |rng| ZoneId::from_uuid(Uuid::from_u128(rng.below(2).into()))),
            architecture: self.maybe(6, |rng| rng.word("architecture", 3)),
            hypervisor: self.maybe(8, |rng| rng.word("hypervisor", 2)),
            tags: Tags {
                require: self.selectors(6),
                prefer: self.selectors(3),
                avoid: self.selectors(3),
                exclude: self.selectors(6),
            },
            groups: self
                .maybe(3, |rng| (0..rng.below(3)).map(|_| rng.group()).collect())
                .unwrap_or_default(),
            image: self.maybe(3, |rng| rng.word("image", 3)),
            strategy: self.pick(&[Strategy::Pack, Strategy::Spread]),
            last_host: self.maybe(5, Self::host_id),
            count: self.pick(&[1, 1, 1, 2, 3, 5, 0]),
            weights: self.maybe(2, Self::weights).unwrap_or_default(),
        }
    }
}

const HOSTS: u64 = 20;
const STORAGES: u64 = 12;
