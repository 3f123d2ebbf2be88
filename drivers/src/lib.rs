//! Every cloud this build knows, each behind one feature; connections come with all layers around them.

use std::{sync::Arc, time::Duration};

use contract::{Call, Cloud, Driver, Error, Result, Site};
use layers::{Buckets, Limiter, Settings};

/// What connecting may take at most.
const CONNECT: Duration = Duration::from_secs(30);
/// Calls a second, and at once after a rest, that an account may make from this process.
const RATE: f64 = 200.0;
const BURST: f64 = 400.0;

/// The drivers of this build. One line per cloud.
pub fn registry() -> Registry {
    Registry::new(vec![
        #[cfg(feature = "kvm")]
        Arc::new(kvm::Kvm),
        #[cfg(feature = "sim")]
        Arc::new(sim::Sim),
    ])
}

/// Finds drivers by kind and connects through them. One per process, since it holds the rate limits.
#[derive(Clone)]
pub struct Registry {
    drivers: Vec<Arc<dyn Driver>>,
    limiter: Arc<dyn Limiter>,
}

impl Registry {
    pub fn new(drivers: Vec<Arc<dyn Driver>>) -> Self {
        Self {
            drivers,
            limiter: Arc::new(Buckets::new(RATE, BURST)),
        }
    }

    /// With a limiter of one's own, for example one that replicas share.
    pub fn limited_by(self, limiter: Arc<dyn Limiter>) -> Self {
        Self { limiter, ..self }
    }

    pub fn drivers(&self) -> impl Iterator<Item = &Arc<dyn Driver>> {
        self.drivers.iter()
    }

    /// `Invalid` names the kinds there are.
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn Driver>> {
        self.drivers.iter().find(|driver| driver.kind() == kind).ok_or_else(|| {
            let kinds: Vec<_> = self.drivers.iter().map(|driver| driver.kind()).collect();
            let message = format!(
                "there is no driver `{kind}` in this build: use one of {}",
                kinds.join(", ")
            );
            Error::invalid(message).code("unknown_driver")
        })
    }

    /// Connects and puts the layers around the connection.
    pub async fn connect(&self, kind: &str, call: &Call, site: &Site) -> Result<Arc<dyn Cloud>> {
        let driver = self.get(kind)?;
        let settings = Settings::new(driver.kind(), site.account.clone(), self.limiter.clone());
        self.connect_with(settings, call, site).await
    }

    /// Connects with layers that behave differently, for example with planned faults in a test.
    pub async fn connect_with(&self, settings: Settings, call: &Call, site: &Site) -> Result<Arc<dyn Cloud>> {
        let driver = self.get(settings.driver)?;
        let what = format!("connecting to account {}", site.account);
        let cloud = call.within(CONNECT).bound(&what, driver.connect(call, site)).await?;
        Ok(layers::wrap(cloud, settings))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contract::Kind;

    use super::*;

    #[test]
    fn kinds_are_words_of_their_own() {
        let registry = registry();
        let kinds: BTreeSet<_> = registry.drivers().map(|driver| driver.kind()).collect();
        assert_eq!(kinds.len(), registry.drivers().count());
        let features = [cfg!(feature = "kvm"), cfg!(feature = "sim")]
            .into_iter()
            .filter(|on| *on)
            .count();
        assert_eq!(kinds.len(), features);
    }

    #[test]
    fn an_unknown_kind_is_told_the_known_ones() {
        let error = registry().get("simm").err().unwrap();
        assert_eq!(error.kind, Kind::Invalid);
        for driver in registry().drivers() {
            assert!(error.message.contains(driver.kind()), "{}", error.message);
        }
    }

    #[cfg(feature = "sim")]
    #[tokio::test]
    async fn a_connection_retries_what_is_temporary() {
        let site = Site {
            account: "facade".to_owned(),
            ..Site::default()
        };
        let call = Call::new("test", Duration::from_secs(20));
        let cloud = registry().connect("sim", &call, &site).await.unwrap();
        let control = sim::Control::open(&site).unwrap();
        let side = sim::world::Side::Before;
        control
            .fail_next(Some("hosts.list"), 2, side, Kind::Unavailable)
            .await
            .unwrap();
        let hosts = cloud.hosts().unwrap().list(&call, None).await.unwrap();
        assert_eq!(hosts.items.len(), 3);
    }
}
