//! Networks: a libvirt network on each host that has servers on it.

use async_trait::async_trait;
use contract::{
    Call, Cursor, ExternalRef, Net, NetworkSpec, Networks, Op, Page, Result, Token, network::Lease, site::Place,
};
use reqwest::Method;

use crate::{Connection, wire};

#[async_trait]
impl Networks for Connection {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Net>> {
        self.agents.list(call, from, "networks").await
    }

    async fn create(&self, call: &Call, spec: &NetworkSpec, place: &Place, token: &Token) -> Result<Op<ExternalRef>> {
        let host = self.agents.place(place)?;
        let body = wire::Create::new(spec, token);
        self.agents
            .send(call, host, Method::POST, "networks", &body)
            .await
            .map(Op::Done)
    }

    async fn delete(&self, call: &Call, network: &ExternalRef) -> Result<Op<()>> {
        let Some((host, id)) = wire::split_gone(network) else {
            return Ok(Op::Done(()));
        };
        self.agents
            .ask(call, host, Method::DELETE, &format!("networks/{id}"))
            .await
            .map(Op::Done)
    }

    async fn reserve(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()> {
        let (host, id) = wire::split(network)?;
        self.agents
            .send(call, host, Method::POST, &format!("networks/{id}/reserve"), lease)
            .await
    }

    async fn release(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()> {
        let Some((host, id)) = wire::split_gone(network) else {
            return Ok(());
        };
        self.agents
            .send(call, host, Method::POST, &format!("networks/{id}/release"), lease)
            .await
    }
}
