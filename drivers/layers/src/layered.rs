//! A whole cloud with a layer around each of its methods. Nothing is decided here.

mod families;

use std::sync::Arc;

use async_trait::async_trait;
use contract::{
    Call, Capabilities, Changes, Cloud, Compute, Disks, Error, Hosts, Images, Networks, Progress, Result, Snapshots,
};
use futures::{FutureExt, future::BoxFuture};

use crate::{Layer, Method};

/// Offers the families that the cloud below has.
pub struct Layered<L> {
    cloud: Arc<dyn Cloud>,
    layer: L,
}

/// What a method answers before it is awaited.
type Answer<'a, T> = BoxFuture<'a, Result<T>>;

impl<L: Layer> Layered<L> {
    pub fn new(cloud: Arc<dyn Cloud>, layer: L) -> Self {
        Self { cloud, layer }
    }

    /// `work` may run several times, each time with the call as the layers narrowed it.
    async fn through<'a, T: Send + 'a>(
        &'a self,
        call: &Call,
        method: Method,
        work: impl Fn(&'a dyn Cloud, Call) -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Result<T> {
        let next = move |call| work(&*self.cloud, call);
        self.layer.call(call.clone(), method, Arc::new(next)).await
    }
}

/// The layered family is offered only where the cloud has it, so this fails for a defect of the driver alone.
fn has<T>(family: Option<T>) -> Result<T> {
    family.ok_or_else(|| Error::broken("the driver took back a family it had offered"))
}

#[async_trait]
impl<L: Layer> Cloud for Layered<L> {
    fn capabilities(&self) -> &Capabilities {
        self.cloud.capabilities()
    }
    fn hosts(&self) -> Option<&dyn Hosts> {
        self.cloud.hosts().map(|_| self as _)
    }
    fn compute(&self) -> Option<&dyn Compute> {
        self.cloud.compute().map(|_| self as _)
    }
    fn disks(&self) -> Option<&dyn Disks> {
        self.cloud.disks().map(|_| self as _)
    }
    fn networks(&self) -> Option<&dyn Networks> {
        self.cloud.networks().map(|_| self as _)
    }
    fn images(&self) -> Option<&dyn Images> {
        self.cloud.images().map(|_| self as _)
    }
    fn snapshots(&self) -> Option<&dyn Snapshots> {
        self.cloud.snapshots().map(|_| self as _)
    }
    fn changes(&self) -> Option<&dyn Changes> {
        self.cloud.changes().map(|_| self as _)
    }
    async fn poll(&self, call: &Call, operation: &str) -> Result<Progress> {
        self.through(call, Method::new("poll"), |cloud, call| {
            async move { cloud.poll(&call, operation).await }.boxed()
        })
        .await
    }
}
