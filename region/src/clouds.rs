//! Connections to cloud accounts, made when first needed and kept while nothing about the account changes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use contract::{
    Call, Cloud, Cursor, Page, Site,
    page::Skipped,
    site::{Endpoint, Identity},
};
use futures::future::BoxFuture;
use store::{
    Store,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter},
};
use task::StepCx;
use tokio::sync::Mutex;
use types::{AccountId, Error, ExternalRef, Result};

use crate::{account, host};

/// What a call into a cloud may take when nothing else bounds it.
pub const PATIENCE: Duration = Duration::from_secs(60);

type Kept = HashMap<AccountId, (String, Arc<dyn Cloud>)>;

pub struct Clouds {
    store: Store,
    drivers: drivers::Registry,
    kept: Mutex<Kept>,
}

impl Clouds {
    pub fn new(store: Store, drivers: drivers::Registry) -> Self {
        Self {
            store,
            drivers,
            kept: Mutex::default(),
        }
    }

    pub fn drivers(&self) -> &drivers::Registry {
        &self.drivers
    }

    /// The connection of an account. Errors: those of the driver's `connect`, naming the account.
    pub async fn of(&self, call: &Call, id: AccountId) -> Result<Arc<dyn Cloud>> {
        let account = self.store.one(account::Entity::find_by_id(id)).await?;
        let account = account.ok_or_else(|| Error::not_found("cloud-account", id))?;
        self.connect(call, &account).await
    }

    pub async fn connect(&self, call: &Call, account: &account::Model) -> Result<Arc<dyn Cloud>> {
        let hosts = self.hosts(account).await?;
        let fingerprint = format!("{} {hosts:?}", account.options);
        if let Some((known, cloud)) = self.kept.lock().await.get(&account.id)
            && *known == fingerprint
        {
            return Ok(cloud.clone());
        }
        let site = self.site(account, hosts).await?;
        let cloud = self.drivers.connect(&account.driver, call, &site).await.map_err(|e| {
            e.wrap(format!("cloud account `{}` cannot be used now", account.name))
                .on("cloud-account", account.id)
        })?;
        self.kept.lock().await.insert(account.id, (fingerprint, cloud.clone()));
        Ok(cloud)
    }

    /// Forgets a connection, for example after its account was deleted.
    pub async fn forget(&self, id: AccountId) {
        self.kept.lock().await.remove(&id);
    }

    async fn hosts(&self, account: &account::Model) -> Result<Vec<Endpoint>> {
        let rows = host::Entity::find()
            .filter(host::Column::AccountId.eq(account.id))
            .filter(host::Column::Endpoint.is_not_null());
        let rows = self.store.all(rows).await?;
        let endpoint = |row: host::Model| {
            Some(Endpoint {
                host: row.external_id,
                url: row.endpoint?,
            })
        };
        Ok(rows.into_iter().filter_map(endpoint).collect())
    }

    async fn site(&self, account: &account::Model, hosts: Vec<Endpoint>) -> Result<Site> {
        let identity = match hosts.is_empty() {
            true => None,
            false => Some(self.identity().await?),
        };
        Ok(Site {
            account: account.name.clone(),
            credential: account.options.0.clone(),
            hosts,
            identity,
        })
    }

    /// Our own certificate towards agents, issued by our authority for this process.
    async fn identity(&self) -> Result<Identity> {
        host::authority::load(&self.store).await?.issue_client()
    }
}

/// How a step reaches a cloud.
pub trait StepClouds {
    fn call(&self) -> Call;
    fn cloud(&self, account: AccountId) -> impl Future<Output = Result<Arc<dyn Cloud>>> + Send;
}

impl StepClouds for StepCx {
    fn call(&self) -> Call {
        let left = self.deadline().saturating_duration_since(std::time::Instant::now());
        let mut call = Call::new(self.cx().request_id(), left);
        call.cancelled = self.cancelled();
        call
    }

    async fn cloud(&self, account: AccountId) -> Result<Arc<dyn Cloud>> {
        self.get::<crate::State>().clouds.of(&self.call(), account).await
    }
}

/// The result of an operation, or a park until the cloud has finished it: the step then asks again with its token.
pub fn settled<T>(cx: &StepCx, op: contract::Op<T>) -> Result<T> {
    match op {
        contract::Op::Done(value) => Ok(value),
        contract::Op::Pending { after, .. } => Err(cx.park(after)),
    }
}

/// The family, or `Unsupported` naming what the cloud lacks.
pub fn family<'a, T: ?Sized>(family: Option<&'a T>, what: &str) -> Result<&'a T> {
    family.ok_or_else(|| Error::unsupported(format!("this cloud has no {what}")))
}

/// Hands every item of every page to `take`; what could not be understood is returned.
pub async fn each<'a, T>(
    list: impl Fn(Option<Cursor>) -> BoxFuture<'a, Result<Page<T>>> + Send,
    mut take: impl FnMut(T) + Send,
) -> Result<Vec<Skipped>> {
    let (mut skipped, mut from) = (Vec::new(), None);
    loop {
        let page = list(from).await?;
        page.items.into_iter().for_each(&mut take);
        skipped.extend(page.skipped);
        from = page.next;
        if from.is_none() {
            return Ok(skipped);
        }
    }
}

/// A place on a host of an account.
pub fn place(host: &ExternalRef, storage: Option<&str>) -> contract::site::Place {
    contract::site::Place {
        host: Some(host.clone()),
        storage: storage.map(str::to_owned),
        zone: None,
    }
}
