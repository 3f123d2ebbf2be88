//! Network reach. A network without a bridge is made by NAT wherever it is needed, so every host reaches it.
//! One on a bridge is reached by the hosts that an operator has tagged `bridge:<name>`.

use engine::Request;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use store::Store;
use types::{Error, NetworkId, Result};

use crate::inventory::rows::network;

/// The request with its networks turned into required tags, and the networks that were.
pub async fn settle(store: &Store, mut request: Request) -> Result<(Request, Vec<network::Model>)> {
    let wanted = std::mem::take(&mut request.networks);
    if wanted.is_empty() {
        return Ok((request, Vec::new()));
    }
    let ids = wanted.iter().map(NetworkId::to_string);
    let mut rows = store
        .all(network::Entity::find().filter(network::Column::Id.is_in(ids)))
        .await?;
    let is_known = |id: &NetworkId| rows.iter().any(|row| row.id == id.to_string());
    if let Some(unknown) = wanted.iter().find(|id| !is_known(id)) {
        return Err(Error::not_found("network", unknown));
    }
    rows.retain(|row| row.bridge.is_some());
    for tag in rows.iter().filter_map(tag) {
        if !request.tags.require.contains(&tag) {
            request.tags.require.push(tag);
        }
    }
    Ok((request, rows))
}

/// What a host must be tagged with to reach it.
pub fn tag(network: &network::Model) -> Option<String> {
    Some(format!("bridge:{}", network.bridge.as_ref()?))
}
