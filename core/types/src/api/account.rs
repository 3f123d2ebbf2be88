//! Cloud accounts: where servers can be made. A private site is one like any other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AccountId, TaskId, Timestamp, states};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Create {
    pub name: String,
    /// `kvm`, `sim`, ...; `GET /drivers` lists them with what each wants in `options`.
    pub driver: String,
    /// In the shape the driver asks for; values may be text.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub options: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Update {
    pub name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = CloudAccount))]
pub struct View {
    pub id: AccountId,
    pub name: String,
    pub driver: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: states::Account,
    pub fault: Option<String>,
    pub task: Option<TaskId>,
    /// What this credential may do, as probed.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub capabilities: serde_json::Value,
    pub hosts: i64,
    pub synced_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

/// A kind of cloud that can be added.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Driver {
    pub kind: String,
    pub about: String,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub options: serde_json::Value,
}
