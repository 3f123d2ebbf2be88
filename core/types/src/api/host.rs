//! Hosts, their storages, and the tokens they join with.

use serde::{Deserialize, Serialize};

use crate::{AccountId, HostId, Size, StorageId, Timestamp, states};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Update {
    /// Tags that placements may require, prefer, avoid or exclude.
    pub tags: Option<Vec<String>>,
    /// vCPUs that may be promised per physical one, in thousandths: 4000 is four.
    pub cpu_overcommit: Option<i64>,
    pub memory_overcommit: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Host))]
pub struct View {
    pub id: HostId,
    pub name: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: states::Host,
    /// What is missing, each with its cure.
    pub faults: Vec<String>,
    pub seen_at: Option<Timestamp>,
    pub account: String,
    pub account_id: AccountId,
    pub zone: String,
    pub architecture: String,
    pub hypervisor: String,
    pub vcpus: i64,
    pub vcpus_used: i64,
    pub memory: Size,
    pub memory_used: Size,
    pub cpu_overcommit: i64,
    pub memory_overcommit: i64,
    pub tags: Vec<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Storage {
    pub id: StorageId,
    pub name: String,
    pub host: String,
    pub host_id: HostId,
    pub backend: String,
    pub capacity: Size,
    /// Promised to disks of ours.
    pub claimed: Size,
    /// Taken on the host by anything, as last seen.
    pub used: Size,
    pub created_at: Timestamp,
}

/// Asks for a token that one host may join with, once.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewJoinToken {
    /// The first zone when absent.
    pub zone: Option<String>,
    /// 60 to 86400; 3600 when absent.
    pub valid_seconds: Option<u32>,
}

/// Shown once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinToken {
    pub token: String,
    pub expires_at: Timestamp,
}

/// What an agent sends once, before it has a certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Join {
    pub token: String,
    /// PEM of the certificate request for the key the agent made.
    pub csr: String,
    pub name: String,
    /// Where the agent can be reached: `https://address:port`.
    pub url: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Joined {
    pub host: HostId,
    pub certificate: String,
    pub authority: String,
}
