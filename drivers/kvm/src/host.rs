//! The hosts themselves: what each agent says about its machine.

use std::time::Duration;

use async_trait::async_trait;
use contract::{Call, Cursor, ExternalRef, HostFacts, Hosts, Kind, Page, Result};
use futures::future::join_all;
use reqwest::Method;
use types::Size;

use crate::Connection;

/// A host that needs longer to describe itself is listed as not reachable.
const PATIENCE: Duration = Duration::from_secs(15);

#[async_trait]
impl Hosts for Connection {
    async fn list(&self, call: &Call, _from: Option<Cursor>) -> Result<Page<HostFacts>> {
        // What is left is for saying that it is silent.
        let call = call.within(PATIENCE.min(call.remaining() / 2));
        let call = &call;
        let asked = self.agents.names().map(|host| async move {
            let host = ExternalRef::new(host);
            self.get(call, &host).await.or_else(|error| match error.kind {
                Kind::Cancelled => Err(error),
                _ => Ok(silent(host, error.chain())),
            })
        });
        Ok(Page::last(join_all(asked).await.into_iter().collect::<Result<_>>()?))
    }

    async fn get(&self, call: &Call, host: &ExternalRef) -> Result<HostFacts> {
        self.agents.ask(call, host.as_str(), Method::GET, "facts").await
    }
}

fn silent(host: ExternalRef, why: String) -> HostFacts {
    HostFacts {
        name: host.to_string(),
        id: host,
        reachable: false,
        architecture: String::new(),
        hypervisor: String::new(),
        zone: None,
        vcpus: 0,
        memory: Size::bytes(0),
        storages: Vec::new(),
        faults: vec![why],
    }
}
