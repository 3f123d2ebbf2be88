//! Volumes: files in the pool of the host they are on.

use async_trait::async_trait;
use contract::{Call, Cursor, Disks, ExternalRef, Op, Page, Result, Token, Volume, VolumeSpec};
use reqwest::Method;
use types::Size;

use crate::{Connection, wire};

#[async_trait]
impl Disks for Connection {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Volume>> {
        self.agents.list(call, from, "volumes").await
    }

    async fn get(&self, call: &Call, volume: &ExternalRef) -> Result<Volume> {
        let (host, id) = wire::split(volume)?;
        self.agents.ask(call, host, Method::GET, &format!("volumes/{id}")).await
    }

    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Volume>> {
        self.agents.find(call, &format!("tokens/{token}/volume")).await
    }

    async fn create(&self, call: &Call, spec: &VolumeSpec, token: &Token) -> Result<Op<ExternalRef>> {
        let host = self.agents.place(&spec.place)?;
        let body = wire::Create::new(spec, token);
        self.agents
            .send(call, host, Method::POST, "volumes", &body)
            .await
            .map(Op::Done)
    }

    async fn delete(&self, call: &Call, volume: &ExternalRef) -> Result<Op<()>> {
        let Some((host, id)) = wire::split_gone(volume) else {
            return Ok(Op::Done(()));
        };
        self.agents
            .ask(call, host, Method::DELETE, &format!("volumes/{id}"))
            .await
            .map(Op::Done)
    }

    async fn resize(&self, call: &Call, volume: &ExternalRef, size: Size) -> Result<Op<()>> {
        let (host, id) = wire::split(volume)?;
        let path = format!("volumes/{id}/resize");
        self.agents
            .send(call, host, Method::POST, &path, &wire::Grow { size })
            .await
            .map(Op::Done)
    }

    async fn rebuild(&self, call: &Call, volume: &ExternalRef, image: &ExternalRef) -> Result<Op<()>> {
        let (host, id) = wire::split(volume)?;
        let body = wire::Other { id: image.clone() };
        let path = format!("volumes/{id}/rebuild");
        self.agents
            .send(call, host, Method::POST, &path, &body)
            .await
            .map(Op::Done)
    }
}
