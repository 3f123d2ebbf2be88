//! Networks: ranges of addresses that servers get theirs from.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::{AddressId, NetworkId, ProjectId, ServerId, TaskId, Timestamp, states};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Create {
    pub name: String,
    /// IPv4, /8 to /29, for example `10.0.0.0/24`.
    pub cidr: String,
    /// The first address of the range when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// An existing bridge of the hosts; without it each host makes a NAT network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// Name servers for guests on a bridge; the gateway when empty. A NAT network answers itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Update {
    pub name: Option<String>,
    pub tags: Option<Tags>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Network))]
pub struct View {
    pub id: NetworkId,
    pub name: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: states::Network,
    pub fault: Option<String>,
    pub task: Option<TaskId>,
    pub cidr: String,
    pub gateway: String,
    pub bridge: Option<String>,
    pub dns: Vec<String>,
    /// Addresses that can be handed out, and how many are.
    pub total: i64,
    pub used: i64,
    pub tags: Tags,
    pub project_id: ProjectId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// One address in use.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = NetworkAddress))]
pub struct Address {
    pub id: AddressId,
    pub address: String,
    pub mac: String,
    pub server_id: Option<ServerId>,
    pub server: Option<String>,
    pub created_at: Timestamp,
}
