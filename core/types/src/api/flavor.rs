//! Flavors: the shapes servers come in.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::{FlavorId, Size, Timestamp};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Create {
    pub name: String,
    /// 1 to 512.
    pub vcpus: u32,
    /// 32 MiB to 16 TiB.
    pub memory: Size,
    /// The root disk.
    pub disk: Size,
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
#[cfg_attr(feature = "openapi", schema(as = Flavor))]
pub struct View {
    pub id: FlavorId,
    pub name: String,
    pub vcpus: u32,
    pub memory: Size,
    pub disk: Size,
    pub tags: Tags,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}
