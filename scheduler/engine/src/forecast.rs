//! How many more of a request would fit, and where: the same filters and the same disks as [`crate::place()`].

use serde::{Deserialize, Serialize};
use types::HostId;

use crate::{
    Request, Snapshot,
    query::{Draft, Query},
};

/// A request that takes almost nothing would otherwise be counted for ever.
const MOST: u32 = 10_000;

/// What would still fit, one server of the request at a time; its `count` is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Forecast {
    /// Filling hosts in order of id. Less than the sum over the hosts when they share a storage or must stay together.
    pub total: u64,
    /// Hosts with room for at least one, in order of id.
    pub hosts: Vec<Room>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Room {
    pub host: HostId,
    pub name: String,
    /// If only this host is filled; at most 10,000.
    pub more: u32,
}

pub fn forecast(snapshot: &Snapshot, request: &Request) -> Forecast {
    let mut query = Query::new(snapshot, request);
    let left = query.survivors();
    let together = query.founds_a_group();
    let mut shared = Draft::default();
    let mut forecast = Forecast {
        total: 0,
        hosts: Vec::new(),
    };
    let rows = snapshot.hosts().filter_map(|host| Some((snapshot.row(host.id)?, host)));
    for (row, host) in rows.filter(|(row, _)| left.contains(*row)) {
        query.draft = Draft::default();
        let more = query.fill(row, MOST);
        if more == 0 {
            continue;
        }
        forecast.hosts.push(Room {
            host: host.id,
            name: host.name.clone(),
            more,
        });
        if together {
            forecast.total = forecast.total.max(u64::from(more));
        } else if snapshot
            .pools(row)
            .any(|(pool, _)| snapshot.sharers(pool).nth(1).is_some())
        {
            query.draft = std::mem::take(&mut shared);
            forecast.total += u64::from(query.fill(row, MOST));
            shared = std::mem::take(&mut query.draft);
        } else {
            forecast.total += u64::from(more);
        }
    }
    forecast
}
