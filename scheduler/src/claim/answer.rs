//! What an ask is answered with: where each consumer goes, and why.

use std::collections::BTreeSet;

use engine::{Placement, Points, Snapshot, Term};
use serde::Serialize;
use types::{AccountId, Error, HostId, Result, StorageId, ZoneId};
use utoipa::ToSchema;

use super::{Model, ask::Consumer};
use crate::inventory::Inventory;

#[derive(Serialize, ToSchema)]
pub struct Claims {
    /// In the order of the consumers.
    pub placements: Vec<Placed>,
    pub explanation: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ClaimPlacement)]
pub struct Placed {
    pub consumer: String,
    pub host: HostId,
    pub host_name: String,
    pub account: AccountId,
    pub zone: Option<ZoneId>,
    /// For each disk of the request, in its order.
    pub storages: Vec<Storage>,
    pub why: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ClaimStorage)]
pub struct Storage {
    pub storage: StorageId,
    pub name: String,
}

impl Placed {
    pub fn now(snapshot: &Snapshot, consumer: &Consumer, placement: &Placement) -> Result<Self> {
        let storages = placement.storages.iter().copied();
        Self::describe(snapshot, consumer, placement.host, storages, why(placement))
    }

    /// From the rows of an earlier ask with the same token, in order of slot.
    pub fn before(snapshot: &Snapshot, consumer: &Consumer, rows: &[Model]) -> Result<Self> {
        let host = host_of(rows)?;
        let storages: Vec<StorageId> = rows
            .iter()
            .filter_map(|row| row.storage_id.as_deref())
            .map(str::parse)
            .collect::<Result<_>>()?;
        Self::describe(snapshot, consumer, host, storages, "claimed before".to_owned())
    }

    fn describe(
        snapshot: &Snapshot,
        consumer: &Consumer,
        host: HostId,
        storages: impl IntoIterator<Item = StorageId>,
        why: String,
    ) -> Result<Self> {
        let known = snapshot.host(host).ok_or_else(|| Error::not_found("host", host))?;
        let storages = storages.into_iter().map(|id| Storage {
            storage: id,
            name: snapshot
                .storage(id)
                .map_or_else(|| id.to_string(), |known| known.name.clone()),
        });
        Ok(Self {
            consumer: consumer.consumer.clone(),
            host,
            host_name: known.name.clone(),
            account: known.account,
            zone: known.zone,
            storages: storages.collect(),
            why,
        })
    }
}

/// Makes sure that the snapshot knows the hosts of these rows.
pub async fn learn<'a>(inventory: &mut Inventory, rows: impl Iterator<Item = &'a Model>) -> Result<()> {
    let ids = rows
        .map(|row| row.host_id.parse())
        .collect::<Result<BTreeSet<HostId>>>()?;
    if ids.iter().any(|id| inventory.snapshot().host(*id).is_none()) {
        inventory.reread(&ids).await?;
    }
    Ok(())
}

fn host_of(rows: &[Model]) -> Result<HostId> {
    let first = rows
        .first()
        .ok_or_else(|| Error::broken("a known token has no claims"))?;
    first.host_id.parse()
}

fn why(placement: &Placement) -> String {
    if placement.why.is_empty() {
        return "it fits".to_owned();
    }
    let terms = placement
        .why
        .iter()
        .map(|Points { term, points }| format!("{} {points:+}", word(*term)));
    terms.collect::<Vec<_>>().join(", ")
}

fn word(term: Term) -> &'static str {
    match term {
        Term::LastHost => "ran here before",
        Term::Group => "affinity group",
        Term::PreferredTags => "preferred tags",
        Term::AvoidedTags => "tags to avoid",
        Term::ImageCached => "has the image",
        Term::Cpu => "cpu",
        Term::Memory => "memory",
        Term::Storage => "storage",
    }
}
