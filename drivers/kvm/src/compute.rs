//! Servers, by asking the agent of the host each is on.

use async_trait::async_trait;
use contract::{
    Call, Compute, Cursor, ExternalRef, Machine, MachineSpec, Op, Page, Result, Token,
    compute::{Shape, Stop},
};
use reqwest::Method;
use serde::Serialize;

use crate::{Connection, wire};

impl Connection {
    async fn act(
        &self,
        call: &Call,
        machine: &ExternalRef,
        verb: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Op<()>> {
        let (host, id) = wire::split(machine)?;
        let path = format!("machines/{id}/{verb}");
        self.agents
            .send(call, host, Method::POST, &path, body)
            .await
            .map(Op::Done)
    }
}

#[async_trait]
impl Compute for Connection {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Machine>> {
        self.agents.list(call, from, "machines").await
    }

    async fn get(&self, call: &Call, machine: &ExternalRef) -> Result<Machine> {
        let (host, id) = wire::split(machine)?;
        self.agents
            .ask(call, host, Method::GET, &format!("machines/{id}"))
            .await
    }

    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Machine>> {
        self.agents.find(call, &format!("tokens/{token}/machine")).await
    }

    async fn create(&self, call: &Call, spec: &MachineSpec, token: &Token) -> Result<Op<ExternalRef>> {
        let host = self.agents.place(&spec.place)?;
        let body = wire::Create::new(spec, token);
        self.agents
            .send(call, host, Method::POST, "machines", &body)
            .await
            .map(Op::Done)
    }

    async fn delete(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>> {
        let Some((host, id)) = wire::split_gone(machine) else {
            return Ok(Op::Done(()));
        };
        self.agents
            .ask(call, host, Method::DELETE, &format!("machines/{id}"))
            .await
            .map(Op::Done)
    }

    async fn start(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>> {
        self.act(call, machine, "start", &()).await
    }

    async fn stop(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>> {
        self.act(call, machine, "stop", &wire::How { how }).await
    }

    async fn reboot(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>> {
        self.act(call, machine, "reboot", &wire::How { how }).await
    }

    async fn resize(&self, call: &Call, machine: &ExternalRef, shape: Shape) -> Result<Op<()>> {
        self.act(call, machine, "resize", &shape).await
    }

    async fn attach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>> {
        let body = wire::Other { id: volume.clone() };
        self.act(call, machine, "attach", &body).await
    }

    async fn detach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>> {
        let body = wire::Other { id: volume.clone() };
        self.act(call, machine, "detach", &body).await
    }

    async fn console_log(&self, call: &Call, machine: &ExternalRef, limit: usize) -> Result<String> {
        let (host, id) = wire::split(machine)?;
        let path = format!("machines/{id}/console?limit={limit}");
        self.agents.ask(call, host, Method::GET, &path).await
    }
}
