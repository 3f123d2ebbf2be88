//! What a region needs before it can serve, and the work it does in the background.

use store::{
    Store,
    sea_orm::{ActiveValue::Set, EntityTrait},
};
use task::{Engine, Extensions, Registry, reconcile};
use tokio_util::sync::CancellationToken;
use types::{RegionId, Result, Timestamp, ZoneId};

use crate::{
    State, account, disk, host, network, observe,
    place::{region, zone},
    server, snapshot, watch,
};

/// Makes the region's row and its first zone if there are none. Two replicas at once agree on one.
pub async fn bootstrap(store: &Store, name: &str) -> Result<()> {
    if store.one(region::Entity::find()).await?.is_some() {
        return Ok(());
    }
    let (id, now) = (RegionId::new(), Timestamp::now());
    let tx = store.begin().await?;
    let made = async {
        tx.insert(region::ActiveModel {
            id: Set(id),
            name: Set(name.to_owned()),
            created_at: Set(now),
        })
        .await?;
        let zone = zone::ActiveModel {
            id: Set(ZoneId::new()),
            name: Set(format!("{name}-a")),
            region_id: Set(id),
            created_at: Set(now),
            version: Set(1),
        };
        tx.insert(zone).await
    };
    match made.await {
        Ok(_) => tx.commit().await,
        Err(error) if error.code == "name_taken" => Ok(()),
        Err(error) => Err(error),
    }
}

/// Every workflow of the product, one line each.
pub fn workflows() -> Registry {
    Registry::new()
        .add::<server::create::CreateServer>()
        .add::<server::create::CreateServers>()
        .add::<server::delete::DeleteServer>()
        .add::<server::power::Switch>()
        .add::<server::resize::ResizeServer>()
        .add::<server::rebuild::RebuildServer>()
        .add::<disk::create::CreateDisk>()
        .add::<disk::delete::DeleteDisk>()
        .add::<disk::attach::AttachDisk>()
        .add::<disk::attach::DetachDisk>()
        .add::<disk::resize::ResizeDisk>()
        .add::<snapshot::create::CreateSnapshot>()
        .add::<snapshot::delete::DeleteSnapshot>()
        .add::<snapshot::revert::RevertSnapshot>()
        .add::<network::delete::DeleteNetwork>()
        .add::<account::connect::Connect>()
        .add::<account::sync::Sync>()
        .add::<account::delete::Forget>()
}

/// Runs tasks and reconcilers until `shutdown`; returns when what was running has ended or was handed over.
pub async fn work(state: State, replica: &str, shutdown: CancellationToken) {
    let _here = match task::arrive(&state.store).await {
        Ok(presence) => Some(presence),
        Err(error) => {
            tracing::warn!(
                error = error.chain(),
                "what a dead process left is taken up when its leases run out"
            );
            None
        }
    };
    let engine = Engine::builder(state.store.clone(), workflows())
        .extension(state.clone())
        .owner(replica)
        .build();
    let shared = Extensions::default().add(state.clone()).add(state.keep);
    let facts = reconcile::run(
        host::facts::Facts,
        state.store.clone(),
        shared.clone(),
        shutdown.clone(),
    );
    let observe = reconcile::run(observe::Observe, state.store.clone(), shared.clone(), shutdown.clone());
    let watch = reconcile::run(
        watch::Watch::default(),
        state.store.clone(),
        shared.clone(),
        shutdown.clone(),
    );
    let history = reconcile::run(task::History, state.store.clone(), shared, shutdown.clone());
    tokio::join!(engine.run(shutdown), facts, observe, watch, history);
}
