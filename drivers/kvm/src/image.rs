//! Images: a cache by digest on each host; volumes are overlays on what is in it.

use async_trait::async_trait;
use bytes::Bytes;
use contract::{Call, Error, ExternalRef, ImageSpec, Images, Kind, Result, site::Place};
use futures::stream::BoxStream;
use reqwest::{Body, Method};

use crate::{Connection, wire};

#[async_trait]
impl Images for Connection {
    async fn find(&self, call: &Call, place: &Place, digest: &str) -> Result<Option<ExternalRef>> {
        let host = self.agents.place(place)?;
        let path = format!("images/{digest}");
        match self.agents.ask(call, host, Method::GET, &path).await {
            Ok(image) => Ok(Some(image)),
            Err(error)
                if error.kind == Kind::NotFound && error.resource.as_deref() != Some(&format!("host/{host}")) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn upload(
        &self,
        call: &Call,
        spec: &ImageSpec,
        place: &Place,
        content: BoxStream<'static, Result<Bytes>>,
    ) -> Result<ExternalRef> {
        let host = self.agents.place(place)?;
        if !wire::FORMATS.contains(&spec.format.as_str()) {
            return Err(Error::invalid(format!(
                "kvm hosts take qcow2 and raw images, not {}: convert it first",
                spec.format
            )));
        }
        let path = format!(
            "images/{}?format={}&size={}",
            spec.digest,
            spec.format,
            spec.size.as_bytes()
        );
        self.agents.upload(call, host, &path, Body::wrap_stream(content)).await
    }

    async fn delete(&self, call: &Call, image: &ExternalRef) -> Result<()> {
        let Some((host, digest)) = wire::split_gone(image) else {
            return Ok(());
        };
        self.agents
            .ask(call, host, Method::DELETE, &format!("images/{digest}"))
            .await
    }
}
