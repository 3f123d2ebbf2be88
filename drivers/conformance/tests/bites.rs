//! The suite must be able to fail: clouds that break the contract in known ways, and the rules that notice.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use conformance::{RULES, Subject, judge};
use contract::{
    Call, Capabilities, Cloud, Cursor, Disks, Driver, Error, ExternalRef, Kind, Op, Page, Progress, Result, Site,
    Token, Volume, VolumeSpec,
};
use futures::{FutureExt, future::BoxFuture};
use layers::{Layer, Layered, Method, Next};
use serde_json::{Value, json};
use types::Size;

/// A simulated cloud, bent by what is done to its connection.
struct Bent(fn(Arc<dyn Cloud>) -> Arc<dyn Cloud>);

#[async_trait]
impl Driver for Bent {
    fn kind(&self) -> &'static str {
        "bent"
    }
    fn about(&self) -> &'static str {
        "breaks the contract"
    }
    fn credential_schema(&self) -> Value {
        json!({"type": "object", "properties": {}})
    }
    /// Takes any credential.
    async fn connect(&self, call: &Call, _: &Site) -> Result<Arc<dyn Cloud>> {
        let site = Site {
            account: "bent".to_owned(),
            credential: json!({"page_size": 2}),
            ..Site::default()
        };
        Ok((self.0)(sim::Sim.connect(call, &site).await?))
    }
}

/// The rules that this bend breaks.
async fn broken(bend: fn(Arc<dyn Cloud>) -> Arc<dyn Cloud>) -> BTreeSet<&'static str> {
    let subject = Subject::new(Bent(bend), Site::default()).with_image(&b"an image"[..], "raw");
    let mut broken = BTreeSet::new();
    for rule in RULES {
        if judge(rule, &subject).await.is_err() {
            broken.insert(&rule.name[..3]);
        }
    }
    broken
}

fn check(broken: &BTreeSet<&str>, due: &[&str]) {
    assert_eq!(broken.iter().copied().collect::<Vec<_>>(), due);
}

#[tokio::test]
async fn a_driver_that_takes_any_credential() {
    check(&broken(|cloud| cloud).await, &["r02"]);
}

/// Says one kind of error where another is due.
struct Blur(Kind, Kind);

impl Layer for Blur {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, _: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        let blur = |error: Error| match error.kind == self.0 {
            true => Error::new(self.1, error.message),
            false => error,
        };
        async move { next(call).await.map_err(blur) }.boxed()
    }
}

#[tokio::test]
async fn errors_of_the_wrong_kind() {
    let absent = broken(|cloud| Arc::new(Layered::new(cloud, Blur(Kind::NotFound, Kind::Unavailable)))).await;
    check(&absent, &["r02", "r06", "r08", "r10", "r23", "r32"]);
    let conflict = broken(|cloud| Arc::new(Layered::new(cloud, Blur(Kind::Conflict, Kind::Broken)))).await;
    check(&conflict, &["r02", "r12", "r14", "r17", "r20", "r24", "r32"]);
    let invalid = broken(|cloud| Arc::new(Layered::new(cloud, Blur(Kind::Invalid, Kind::Broken)))).await;
    check(&invalid, &["r02", "r15", "r19"]);
}

/// Neither looks at the clock nor listens.
struct Deaf;

impl Layer for Deaf {
    fn call<'a, T: Send + 'a>(&'a self, call: Call, _: Method, next: Next<'a, T>) -> BoxFuture<'a, Result<T>> {
        next(Call::new(call.request_id, std::time::Duration::from_secs(1)))
    }
}

#[tokio::test]
async fn deadlines_and_cancellation_ignored() {
    let broken = broken(|cloud| Arc::new(Layered::new(cloud, Deaf))).await;
    check(&broken, &["r02", "r21", "r22"]);
}

/// Claims everything and has nothing.
struct Hollow(Arc<dyn Cloud>);

#[async_trait]
impl Cloud for Hollow {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }
    async fn poll(&self, call: &Call, operation: &str) -> Result<Progress> {
        self.0.poll(call, operation).await
    }
}

#[tokio::test]
async fn families_that_are_claimed_and_absent() {
    let broken = broken(|cloud| Arc::new(Hollow(cloud))).await;
    assert!(
        broken.contains("r01") && broken.contains("r03") && broken.contains("r19"),
        "{broken:?}"
    );
}

/// Has volumes only, forgets tokens, lists things twice, resizes in word only, deletes never.
struct Careless(Arc<dyn Cloud>, Capabilities);

impl Careless {
    fn disks(&self) -> Result<&dyn Disks> {
        self.0.disks().ok_or_else(|| Error::broken("the sim has disks"))
    }
}

#[async_trait]
impl Cloud for Careless {
    fn capabilities(&self) -> &Capabilities {
        &self.1
    }
    fn disks(&self) -> Option<&dyn Disks> {
        Some(self)
    }
    async fn poll(&self, call: &Call, operation: &str) -> Result<Progress> {
        self.0.poll(call, operation).await
    }
}

#[async_trait]
impl Disks for Careless {
    async fn list(&self, call: &Call, from: Option<Cursor>) -> Result<Page<Volume>> {
        let mut page = Careless::disks(self)?.list(call, from).await?;
        page.items.extend(page.items.clone());
        Ok(page)
    }
    async fn get(&self, call: &Call, volume: &ExternalRef) -> Result<Volume> {
        Careless::disks(self)?.get(call, volume).await
    }
    async fn find(&self, _: &Call, _: &Token) -> Result<Option<Volume>> {
        Ok(None)
    }
    async fn create(&self, call: &Call, spec: &VolumeSpec, token: &Token) -> Result<Op<ExternalRef>> {
        let other = Token::new(format!("{token}-{:x}", rand::random::<u32>()));
        Careless::disks(self)?.create(call, spec, &other).await
    }
    async fn delete(&self, _: &Call, _: &ExternalRef) -> Result<Op<()>> {
        Ok(Op::Done(()))
    }
    async fn resize(&self, _: &Call, _: &ExternalRef, _: Size) -> Result<Op<()>> {
        Ok(Op::Done(()))
    }
    async fn rebuild(&self, call: &Call, volume: &ExternalRef, image: &ExternalRef) -> Result<Op<()>> {
        Careless::disks(self)?.rebuild(call, volume, image).await
    }
}

#[tokio::test]
async fn carelessness_with_volumes() {
    let broken = broken(|cloud| {
        let disks = cloud.capabilities().disks.clone();
        let only = Capabilities {
            disks,
            ..Capabilities::default()
        };
        Arc::new(Careless(cloud, only))
    })
    .await;
    check(&broken, &["r02", "r03", "r04", "r05", "r06", "r11", "r15"]);
}
