//! The connection: which families there are, and what every call goes through (failures on demand, latency).

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use contract::{Call, Capabilities, Cloud, Cursor, Error, ExternalRef, Op, Page, Progress, Result, capability};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Serialize;

use crate::{
    Options,
    store::Store,
    world::{Change, Host, Operation, Side, World},
};

#[derive(Clone)]
pub(crate) struct SimCloud {
    pub options: Options,
    pub store: Arc<Store>,
    capabilities: Arc<Capabilities>,
    /// Calls so far: where the dice of `failure_rate` stand.
    pub calls: Arc<AtomicU64>,
}

/// A mutation while it is being decided.
pub(crate) struct Draft<'a> {
    pub world: &'a World,
    pub now: u64,
    pub changes: &'a mut Vec<Change>,
    /// What the mutation is about; a slow one that is repeated answers the operation under way.
    pub subject: String,
}

impl Draft<'_> {
    pub fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// A new id; one mutation makes at most one thing of a sort.
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}-{:07}", self.world.serial + 1)
    }
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl SimCloud {
    pub fn new(options: Options, store: Arc<Store>) -> Self {
        Self {
            options,
            store,
            capabilities: Arc::new(capabilities()),
            calls: Arc::default(),
        }
    }

    /// Makes the hosts that the options ask for and the world lacks.
    pub async fn prepare(&self, account: &str) -> Result<()> {
        let wanted = |n: u32| Host {
            id: format!("host-{n:04}"),
            name: format!("{account}-{n}"),
            reachable: true,
            vcpus: self.options.vcpus_per_host,
            overcommit: self.options.cpu_overcommit,
            memory: self.options.memory_per_host,
            disk: self.options.disk_per_host,
        };
        let act = |world: &World, changes: &mut Vec<Change>| {
            let stays = |host: &Host| !world.left.contains(&host.id);
            for host in (1..=self.options.hosts).map(wanted).filter(stays) {
                let there = world.hosts.get(&host.id);
                let host = Host {
                    reachable: there.is_none_or(|h| h.reachable),
                    name: there.map_or(host.name, |h| h.name.clone()),
                    ..host
                };
                if there != Some(&host) {
                    changes.push(Change::Host(host));
                }
            }
            Ok(())
        };
        self.store.write(act).await
    }

    /// A call that changes nothing.
    pub async fn look<T: Send>(
        &self,
        call: &Call,
        method: &'static str,
        look: impl FnOnce(&World, u64) -> Result<T> + Send,
    ) -> Result<T> {
        self.pass(call, method, async {
            self.store.read(|world| look(world, now())).await?
        })
        .await
    }

    /// A call that takes effect at once and answers at once.
    pub async fn quick<T: Send>(
        &self,
        call: &Call,
        method: &'static str,
        act: impl FnOnce(&mut Draft<'_>) -> Result<T> + Send,
    ) -> Result<T> {
        let work = self.store.write(|world, changes| {
            act(&mut Draft {
                world,
                now: now(),
                changes,
                subject: String::new(),
            })
        });
        self.pass(call, method, work).await
    }

    /// A call that takes the time of `latency_ms`. The mutation is given that time, to note when its end shows.
    pub async fn slow<T: Serialize + Send>(
        &self,
        call: &Call,
        method: &'static str,
        act: impl FnOnce(&mut Draft<'_>, u64) -> Result<T> + Send,
    ) -> Result<Op<T>> {
        let work = self.store.write(|world, changes| {
            let latency = self.latency(world.serial);
            let mut draft = Draft {
                world,
                now: now(),
                changes,
                subject: String::new(),
            };
            let value = act(&mut draft, latency)?;
            settle(draft, method, latency, value)
        });
        self.pass(call, method, work).await
    }

    fn latency(&self, serial: u64) -> u64 {
        match self.options.latency_ms {
            0 => 0,
            ms => StdRng::seed_from_u64(self.options.seed ^ serial).random_range(ms / 2..=ms + ms / 2),
        }
    }

    async fn pass<T>(&self, call: &Call, method: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let work = async {
            match self.failure(method).await? {
                None => work.await,
                Some((Side::Before, error)) => Err(error),
                Some((Side::After, error)) => work.await.and(Err(error)),
            }
        };
        call.bound(method, work).await
    }

    pub fn page<'a, R: 'a, T>(
        &self,
        rows: &'a std::collections::BTreeMap<String, R>,
        from: Option<Cursor>,
        show: impl FnMut(&'a R) -> T,
    ) -> Page<T> {
        use std::ops::Bound;
        let start = from
            .as_ref()
            .map_or(Bound::Unbounded, |c| Bound::Excluded(c.0.as_str()));
        let mut rest = rows.range::<str, _>((start, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(self.options.page_size).collect();
        let next = match (rest.next(), page.last()) {
            (Some(_), Some((id, _))) => Some(Cursor((*id).clone())),
            _ => None,
        };
        Page {
            items: page.into_iter().map(|(_, row)| row).map(show).collect(),
            skipped: Vec::new(),
            next,
        }
    }
}

/// Done when there is no latency or nothing to do; pending until an operation that does the same has ended.
fn settle<T: Serialize>(mut draft: Draft<'_>, method: &str, latency: u64, value: T) -> Result<Op<T>> {
    if draft.changes.is_empty() {
        let same = |op: &&Operation| op.subject == draft.subject && op.method == method && op.ends > draft.now;
        return Ok(match draft.world.operations.values().rev().find(same) {
            Some(op) => Op::Pending {
                operation: op.id.clone(),
                after: Duration::from_millis(op.ends - draft.now),
            },
            None => Op::Done(value),
        });
    }
    if latency == 0 {
        return Ok(Op::Done(value));
    }
    let operation = Operation {
        id: draft.id("op"),
        method: method.to_owned(),
        subject: draft.subject.clone(),
        begun: draft.now,
        ends: draft.now + latency,
        value: serde_json::to_value(&value).map_err(|e| Error::broken("an answer cannot be written").because(e))?,
    };
    let answer = Op::Pending {
        operation: operation.id.clone(),
        after: Duration::from_millis(latency),
    };
    draft.push(Change::Operation(operation));
    Ok(answer)
}

pub(crate) fn external(id: &str) -> ExternalRef {
    ExternalRef::new(id)
}

fn capabilities() -> Capabilities {
    Capabilities {
        hosts: Some(capability::Hosts {}),
        compute: Some(capability::Compute {
            choose_host: true,
            resize_running: false,
            console_log: true,
            user_data: true,
            sign: true,
        }),
        disks: Some(capability::Disks {
            attach_running: true,
            resize_attached: true,
        }),
        networks: Some(capability::Networks {
            choose_address: true,
            bridge: true,
            nat: true,
        }),
        images: Some(capability::Images {
            formats: ["qcow2", "raw", "vmdk", "iso"].map(str::to_owned).to_vec(),
        }),
        snapshots: Some(capability::Snapshots {
            running: true,
            revert: true,
        }),
    }
}

#[async_trait]
impl Cloud for SimCloud {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    fn hosts(&self) -> Option<&dyn contract::Hosts> {
        Some(self)
    }
    fn compute(&self) -> Option<&dyn contract::Compute> {
        Some(self)
    }
    fn disks(&self) -> Option<&dyn contract::Disks> {
        Some(self)
    }
    fn networks(&self) -> Option<&dyn contract::Networks> {
        Some(self)
    }
    fn images(&self) -> Option<&dyn contract::Images> {
        Some(self)
    }
    fn snapshots(&self) -> Option<&dyn contract::Snapshots> {
        Some(self)
    }
    fn changes(&self) -> Option<&dyn contract::Changes> {
        Some(self)
    }

    async fn poll(&self, call: &Call, operation: &str) -> Result<Progress> {
        self.look(call, "poll", |world, now| {
            let found = world.operations.get(operation);
            let op = found.ok_or_else(|| Error::not_found("operation", operation))?;
            if op.ends <= now {
                return Ok(Progress::Done(op.value.clone()));
            }
            let share = (now.saturating_sub(op.begun)) * 100 / (op.ends - op.begun).max(1);
            Ok(Progress::Running {
                percent: u8::try_from(share).ok(),
                after: Duration::from_millis(op.ends - now),
            })
        })
        .await
    }
}
