//! Private KVM hosts. Two halves that meet in `wire`: [`agent`] runs on a host and drives its libvirt;
//! [`Kvm`] is the driver, a client of the agents that joined. Nothing else in the product knows libvirt.

pub mod agent;
mod change;
mod client;
mod compute;
mod disk;
mod host;
mod image;
mod network;
mod snapshot;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use contract::{Call, Capabilities, Cloud, Driver, Error, Progress, Result, Site, capability};
use serde_json::{Value, json};

use crate::client::Agents;

/// The driver `kvm`. Hosts come from [`Site::hosts`]; the only credential is our own identity.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kvm;

#[async_trait]
impl Driver for Kvm {
    fn kind(&self) -> &'static str {
        "kvm"
    }

    fn about(&self) -> &'static str {
        "Private hosts that run `isobar agent`: libvirt and qemu, with KVM where it works."
    }

    fn credential_schema(&self) -> Value {
        json!({"type": "object", "properties": {}, "additionalProperties": false})
    }

    async fn connect(&self, _call: &Call, site: &Site) -> Result<Arc<dyn Cloud>> {
        let given = site.credential.as_object().is_some_and(|fields| !fields.is_empty());
        if given || !(site.credential.is_object() || site.credential.is_null()) {
            return Err(Error::invalid(format!(
                "account {} has credential fields, but a kvm account takes none: its hosts join by `isobar agent`",
                site.account
            )));
        }
        Ok(Arc::new(Connection {
            agents: Agents::new(site)?,
            capabilities: capabilities(),
        }))
    }
}

/// All hosts of one account.
struct Connection {
    agents: Agents,
    capabilities: Capabilities,
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
            formats: wire::FORMATS.map(str::to_owned).to_vec(),
        }),
        snapshots: Some(capability::Snapshots {
            running: false,
            revert: true,
        }),
    }
}

#[async_trait]
impl Cloud for Connection {
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
        client::wanted(call)?;
        Err(Error::not_found("operation", operation))
    }
}
