//! Each method of each family, sent through the layer.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use contract::{
    Call, ChangeFeed, Changes, Compute, Cursor, Disks, Error, ExternalRef, HostFacts, Hosts, ImageSpec, Images,
    Machine, MachineSpec, Net, NetworkSpec, Networks, Op, Page, Result, SnapshotFacts, Snapshots, Token, Volume,
    VolumeSpec,
    compute::{Shape, Stop},
    network::Lease,
    site::Place,
};
use futures::{
    FutureExt,
    stream::{BoxStream, StreamExt},
};
use types::Size;

use super::{Layered, has};
use crate::{Layer, Method};

#[async_trait]
impl<L: Layer> Hosts for Layered<L> {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<HostFacts>> {
        self.through(call, Method::new("hosts.list"), move |cloud, call| {
            let from = from.clone();
            async move { has(cloud.hosts())?.list(&call, from).await }.boxed()
        })
        .await
    }
    async fn get(&self, call: &Call, host: &ExternalRef) -> Result<HostFacts> {
        self.through(call, Method::new("hosts.get"), |cloud, call| {
            async move { has(cloud.hosts())?.get(&call, host).await }.boxed()
        })
        .await
    }
}

#[async_trait]
impl<L: Layer> Compute for Layered<L> {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Machine>> {
        self.through(call, Method::new("compute.list"), move |cloud, call| {
            let from = from.clone();
            async move { has(cloud.compute())?.list(&call, from).await }.boxed()
        })
        .await
    }
    async fn get(&self, call: &Call, machine: &ExternalRef) -> Result<Machine> {
        self.through(call, Method::new("compute.get"), |cloud, call| {
            async move { has(cloud.compute())?.get(&call, machine).await }.boxed()
        })
        .await
    }
    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Machine>> {
        self.through(call, Method::new("compute.find"), |cloud, call| {
            async move { has(cloud.compute())?.find(&call, token).await }.boxed()
        })
        .await
    }
    async fn create(&self, call: &Call, spec: &MachineSpec, token: &Token) -> Result<Op<ExternalRef>> {
        self.through(call, Method::new("compute.create"), |cloud, call| {
            async move { has(cloud.compute())?.create(&call, spec, token).await }.boxed()
        })
        .await
    }
    async fn delete(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("compute.delete"), |cloud, call| {
            async move { has(cloud.compute())?.delete(&call, machine).await }.boxed()
        })
        .await
    }
    async fn start(&self, call: &Call, machine: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("compute.start"), |cloud, call| {
            async move { has(cloud.compute())?.start(&call, machine).await }.boxed()
        })
        .await
    }
    async fn stop(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>> {
        self.through(call, Method::new("compute.stop"), move |cloud, call| {
            async move { has(cloud.compute())?.stop(&call, machine, how).await }.boxed()
        })
        .await
    }
    async fn reboot(&self, call: &Call, machine: &ExternalRef, how: Stop) -> Result<Op<()>> {
        self.through(call, Method::new("compute.reboot"), move |cloud, call| {
            async move { has(cloud.compute())?.reboot(&call, machine, how).await }.boxed()
        })
        .await
    }
    async fn resize(&self, call: &Call, machine: &ExternalRef, shape: Shape) -> Result<Op<()>> {
        self.through(call, Method::new("compute.resize"), move |cloud, call| {
            async move { has(cloud.compute())?.resize(&call, machine, shape).await }.boxed()
        })
        .await
    }
    async fn attach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("compute.attach"), |cloud, call| {
            async move { has(cloud.compute())?.attach(&call, machine, volume).await }.boxed()
        })
        .await
    }
    async fn detach(&self, call: &Call, machine: &ExternalRef, volume: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("compute.detach"), |cloud, call| {
            async move { has(cloud.compute())?.detach(&call, machine, volume).await }.boxed()
        })
        .await
    }
    async fn console_log(&self, call: &Call, machine: &ExternalRef, limit: usize) -> Result<String> {
        self.through(call, Method::new("compute.console_log"), move |cloud, call| {
            async move { has(cloud.compute())?.console_log(&call, machine, limit).await }.boxed()
        })
        .await
    }
}

#[async_trait]
impl<L: Layer> Disks for Layered<L> {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Volume>> {
        self.through(call, Method::new("disks.list"), move |cloud, call| {
            let from = from.clone();
            async move { has(cloud.disks())?.list(&call, from).await }.boxed()
        })
        .await
    }
    async fn get(&self, call: &Call, volume: &ExternalRef) -> Result<Volume> {
        self.through(call, Method::new("disks.get"), |cloud, call| {
            async move { has(cloud.disks())?.get(&call, volume).await }.boxed()
        })
        .await
    }
    async fn find(&self, call: &Call, token: &Token) -> Result<Option<Volume>> {
        self.through(call, Method::new("disks.find"), |cloud, call| {
            async move { has(cloud.disks())?.find(&call, token).await }.boxed()
        })
        .await
    }
    async fn create(&self, call: &Call, spec: &VolumeSpec, token: &Token) -> Result<Op<ExternalRef>> {
        self.through(call, Method::new("disks.create"), |cloud, call| {
            async move { has(cloud.disks())?.create(&call, spec, token).await }.boxed()
        })
        .await
    }
    async fn delete(&self, call: &Call, volume: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("disks.delete"), |cloud, call| {
            async move { has(cloud.disks())?.delete(&call, volume).await }.boxed()
        })
        .await
    }
    async fn resize(&self, call: &Call, volume: &ExternalRef, size: Size) -> Result<Op<()>> {
        self.through(call, Method::new("disks.resize"), move |cloud, call| {
            async move { has(cloud.disks())?.resize(&call, volume, size).await }.boxed()
        })
        .await
    }
    async fn rebuild(&self, call: &Call, volume: &ExternalRef, image: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("disks.rebuild"), |cloud, call| {
            async move { has(cloud.disks())?.rebuild(&call, volume, image).await }.boxed()
        })
        .await
    }
}

#[async_trait]
impl<L: Layer> Networks for Layered<L> {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Net>> {
        self.through(call, Method::new("networks.list"), move |cloud, call| {
            let from = from.clone();
            async move { has(cloud.networks())?.list(&call, from).await }.boxed()
        })
        .await
    }
    async fn create(&self, call: &Call, spec: &NetworkSpec, place: &Place, token: &Token) -> Result<Op<ExternalRef>> {
        self.through(call, Method::new("networks.create"), |cloud, call| {
            async move { has(cloud.networks())?.create(&call, spec, place, token).await }.boxed()
        })
        .await
    }
    async fn delete(&self, call: &Call, network: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("networks.delete"), |cloud, call| {
            async move { has(cloud.networks())?.delete(&call, network).await }.boxed()
        })
        .await
    }
    async fn reserve(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()> {
        self.through(call, Method::new("networks.reserve"), |cloud, call| {
            async move { has(cloud.networks())?.reserve(&call, network, lease).await }.boxed()
        })
        .await
    }
    async fn release(&self, call: &Call, network: &ExternalRef, lease: &Lease) -> Result<()> {
        self.through(call, Method::new("networks.release"), |cloud, call| {
            async move { has(cloud.networks())?.release(&call, network, lease).await }.boxed()
        })
        .await
    }
}

#[async_trait]
impl<L: Layer> Snapshots for Layered<L> {
    async fn list(&self, call: &Call, volume: &ExternalRef) -> Result<Vec<SnapshotFacts>> {
        self.through(call, Method::new("snapshots.list"), |cloud, call| {
            async move { has(cloud.snapshots())?.list(&call, volume).await }.boxed()
        })
        .await
    }
    async fn create(&self, call: &Call, volume: &ExternalRef, name: &str, token: &Token) -> Result<Op<ExternalRef>> {
        self.through(call, Method::new("snapshots.create"), |cloud, call| {
            async move { has(cloud.snapshots())?.create(&call, volume, name, token).await }.boxed()
        })
        .await
    }
    async fn delete(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("snapshots.delete"), |cloud, call| {
            async move { has(cloud.snapshots())?.delete(&call, snapshot).await }.boxed()
        })
        .await
    }
    async fn revert(&self, call: &Call, snapshot: &ExternalRef) -> Result<Op<()>> {
        self.through(call, Method::new("snapshots.revert"), |cloud, call| {
            async move { has(cloud.snapshots())?.revert(&call, snapshot).await }.boxed()
        })
        .await
    }
}

#[async_trait]
impl<L: Layer> Changes for Layered<L> {
    async fn next(&self, call: &Call, host: &ExternalRef, since: Option<Cursor>) -> Result<ChangeFeed> {
        let method = Method {
            waits: true,
            ..Method::new("changes.next")
        };
        self.through(call, method, move |cloud, call| {
            let since = since.clone();
            async move { has(cloud.changes())?.next(&call, host, since).await }.boxed()
        })
        .await
    }
}

#[async_trait]
impl<L: Layer> Images for Layered<L> {
    async fn find(&self, call: &Call, place: &Place, digest: &str) -> Result<Option<ExternalRef>> {
        self.through(call, Method::new("images.find"), |cloud, call| {
            async move { has(cloud.images())?.find(&call, place, digest).await }.boxed()
        })
        .await
    }

    async fn upload(
        &self,
        call: &Call,
        spec: &ImageSpec,
        place: &Place,
        content: BoxStream<'static, Result<Bytes>>,
    ) -> Result<ExternalRef> {
        let method = Method {
            repeatable: false,
            ..Method::new("images.upload")
        };
        let content = Arc::new(Mutex::new(Some(content)));
        self.through(call, method, move |cloud, call| {
            let taken = content.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move {
                let content = taken.ok_or_else(|| Error::broken("an upload was made twice"))?;
                has(cloud.images())?.upload(&call, spec, place, content.boxed()).await
            }
            .boxed()
        })
        .await
    }

    async fn delete(&self, call: &Call, image: &ExternalRef) -> Result<()> {
        self.through(call, Method::new("images.delete"), |cloud, call| {
            async move { has(cloud.images())?.delete(&call, image).await }.boxed()
        })
        .await
    }
}
