//! Disks: block volumes, attached or not.

use serde::{Deserialize, Serialize};

use super::Tags;
use crate::{DiskId, HostId, ProjectId, ServerId, Size, StorageId, TaskId, Timestamp, states};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Create {
    pub name: String,
    pub size: Size,
    /// The server whose host it should be on; otherwise the scheduler chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
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
#[cfg_attr(feature = "openapi", schema(as = Disk))]
pub struct View {
    pub id: DiskId,
    pub name: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: states::Disk,
    pub fault: Option<String>,
    pub task: Option<TaskId>,
    pub size: Size,
    /// Deleted with its server.
    pub root: bool,
    pub server_id: Option<ServerId>,
    pub host_id: Option<HostId>,
    pub storage_id: Option<StorageId>,
    pub tags: Tags,
    pub project_id: ProjectId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attach {
    pub server: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resize {
    /// Larger than it is.
    pub size: Size,
}
