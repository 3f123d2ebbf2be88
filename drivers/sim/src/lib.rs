//! A simulated cloud: an ordinary driver that needs nothing but a file, or not even that.
//!
//! It keeps its own truth, apart from Isobar's: with the option `state` in a journal that any number of processes
//! share and that survives all of them, else in this process. [`Control`] looks at that truth and changes it behind
//! Isobar's back; it counts what each token made, so that a test can say "nothing was done twice".

mod change;
mod cloud;
mod compute;
mod console;
pub mod control;
mod disk;
mod failure;
mod host;
mod image;
mod network;
pub mod options;
mod place;
mod snapshot;
mod store;
pub mod world;

use std::sync::Arc;

use async_trait::async_trait;
use contract::{Call, Cloud, Driver, Result, Site};

pub use control::Control;
pub use options::Options;

/// The driver kind `sim`.
pub struct Sim;

#[async_trait]
impl Driver for Sim {
    fn kind(&self) -> &'static str {
        "sim"
    }

    fn about(&self) -> &'static str {
        "a simulated cloud with hosts, latency, capacity and failures as you like them"
    }

    fn credential_schema(&self) -> serde_json::Value {
        options::schema()
    }

    async fn connect(&self, call: &Call, site: &Site) -> Result<Arc<dyn Cloud>> {
        let options = Options::read(&site.credential)?;
        let store = store::open(&site.account, &options)?;
        let cloud = cloud::SimCloud::new(options, store);
        call.bound("connect to the simulated cloud", cloud.prepare(&site.account))
            .await?;
        Ok(Arc::new(cloud))
    }
}
