//! Hosts, their storages, and the tokens they join with.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{AccountId, Error, HostId, Result, Size, StorageId, Timestamp, states};

/// What an operator wants of a host; its state follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "db", derive(sea_orm::DeriveValueType), sea_orm(value_type = "String"))]
pub enum Intent {
    /// It takes new servers.
    Enabled,
    /// It takes none, and is in maintenance as soon as the last is gone.
    Draining,
    /// It takes none; those that are there stay.
    Disabled,
}

impl Intent {
    pub const ALL: &[Self] = &[Self::Enabled, Self::Draining, Self::Disabled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Intent {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().copied().find(|intent| intent.as_str() == text);
        found.ok_or_else(|| Error::invalid(format!("`{text}` is not an intent for a host")))
    }
}

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
    /// `enabled`, `draining` or `disabled`: what an operator wants.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub intent: Intent,
    /// Servers that are on it, those under way and failed ones included.
    pub servers: i64,
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
