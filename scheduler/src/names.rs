//! Explanations in the names people gave: the engine speaks of zones, accounts and storages by id.

use std::collections::BTreeMap;

use engine::Explanation;
use sea_orm::EntityTrait;
use store::Store;
use types::{Error, Kind, Result};

use crate::{
    inventory::rows::{account, network, zone},
    networks,
};

/// What stands in the engine's texts, and what people read instead.
pub struct Names(BTreeMap<String, String>);

impl Names {
    pub async fn read(store: &Store, networks: &[network::Model]) -> Result<Self> {
        let zones = store.all(zone::Entity::find()).await?;
        let accounts = store.all(account::Entity::find()).await?;
        let mut names: BTreeMap<String, String> = zones.into_iter().map(|row| (row.id, row.name)).collect();
        names.extend(accounts.into_iter().map(|row| (row.id, row.name)));
        for network in networks {
            if let Some(tag) = networks::tag(network) {
                let shown = format!("network {} (host tag `{tag}`)", network.name);
                names.insert(format!("tag `{tag}`"), shown);
            }
        }
        Ok(Self(names))
    }

    pub fn put_into(&self, mut explanation: Explanation) -> Explanation {
        let nearest = explanation
            .removed
            .iter_mut()
            .filter_map(|removed| removed.nearest.as_mut());
        for miss in nearest.chain(&mut explanation.nearest) {
            for lack in &mut miss.lacks {
                self.put_into_text(&mut lack.needs);
                self.put_into_text(&mut lack.has);
            }
        }
        explanation
    }

    fn put_into_text(&self, text: &mut String) {
        for (id, name) in &self.0 {
            if text.contains(id.as_str()) {
                *text = text.replace(id.as_str(), name);
            }
        }
    }
}

/// The error a caller gets; its details are the whole explanation.
pub fn no_host_fits(explanation: &Explanation) -> Error {
    let details = serde_json::to_value(explanation).unwrap_or_default();
    Error::new(Kind::Capacity, sentence(explanation))
        .code("no_host_fits")
        .details(details)
}

/// The engine's sentence and, when no filter has named a host that came near, the nearest of all.
pub fn sentence(explanation: &Explanation) -> String {
    let is_named = explanation.removed.iter().any(|removed| removed.nearest.is_some());
    match explanation.nearest.first() {
        Some(miss) if !is_named && explanation.fit == 0 => format!("{explanation}; nearest: host {miss}"),
        _ => explanation.to_string(),
    }
}
