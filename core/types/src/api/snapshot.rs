//! Snapshots of disks.

use serde::{Deserialize, Serialize};

use crate::{DiskId, ProjectId, Size, SnapshotId, TaskId, Timestamp, states};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Create {
    pub name: String,
    pub disk: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Update {
    pub name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Snapshot))]
pub struct View {
    pub id: SnapshotId,
    pub name: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: states::Snapshot,
    pub fault: Option<String>,
    pub task: Option<TaskId>,
    pub disk_id: DiskId,
    pub size: Size,
    pub project_id: ProjectId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}
