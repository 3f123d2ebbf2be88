//! Snapshots inside the volume's file, so that they go where it goes.

use async_trait::async_trait;
use contract::{Call, ExternalRef, Op, Result, SnapshotFacts, Snapshots, Token};
use reqwest::Method;

use crate::{Connection, wire};

#[async_trait]
impl Snapshots for Connection {
    async fn list(&self, call: &Call, volume: &ExternalRef) -> Result<Vec<SnapshotFacts>> {
        let (host, id) = wire::split(volume)?;
        self.agents
            .ask(call, host, Method::GET, &format!("volumes/{id}/snapshots"))
            .await
    }

    async fn create(&self, call: &Call, volume: &ExternalRef, name: &str, token: &Token) -> Result<Op<ExternalRef>> {
        let (host, id) = wire::split(volume)?;
        let spec = wire::SnapshotSpec { name: name.to_owned() };
        let path = format!("volumes/{id}/snapshots");
        let body = wire::Create::new(spec, token);
        self.agents
            .send(call, host, Method::POST, &path, &body)
            .await
            .map(Op::Done)
    }

    async fn delete(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>> {
        let Some((host, id)) = wire::split_gone(snapshot) else {
            return Ok(Op::Done(()));
        };
        self.agents
            .ask(call, host, Method::DELETE, &format!("snapshots/{id}"))
            .await
            .map(Op::Done)
    }

    async fn revert(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>> {
        let (host, id) = wire::split(snapshot)?;
        let path = format!("snapshots/{id}/revert");
        self.agents.ask(call, host, Method::POST, &path).await.map(Op::Done)
    }
}
