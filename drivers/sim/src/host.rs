//! The simulated hosts.

use async_trait::async_trait;
use contract::{Call, Cursor, Error, ExternalRef, HostFacts, Hosts, Page, Result, host::StorageFacts};
use types::Size;

use crate::{
    cloud::{SimCloud, external},
    world::{Host, World},
};

#[async_trait]
impl Hosts for SimCloud {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<HostFacts>> {
        self.look(call, "hosts.list", |world, _| {
            Ok(self.page(&world.hosts, from, |host| facts(world, host)))
        })
        .await
    }

    async fn get(&self, call: &Call, host: &ExternalRef) -> Result<HostFacts> {
        self.look(call, "hosts.get", |world, _| {
            let row = world.hosts.get(host.as_str());
            row.map(|row| facts(world, row))
                .ok_or_else(|| Error::not_found("host", host))
        })
        .await
    }
}

fn facts(world: &World, host: &Host) -> HostFacts {
    let used = world.used.get(&host.id).copied().unwrap_or_default();
    HostFacts {
        id: external(&host.id),
        name: host.name.clone(),
        reachable: host.reachable,
        architecture: "x86_64".to_owned(),
        hypervisor: "sim".to_owned(),
        zone: None,
        vcpus: host.vcpus,
        memory: host.memory,
        storages: vec![StorageFacts {
            name: "sim".to_owned(),
            backend: "sim".to_owned(),
            capacity: host.disk,
            used: Size::bytes(used.disk),
        }],
        faults: Vec::new(),
    }
}
