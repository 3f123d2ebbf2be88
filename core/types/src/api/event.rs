//! Events: every state change, in order.

use serde::{Deserialize, Serialize};

use crate::{ProjectId, Timestamp};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Event))]
pub struct View {
    /// Grows; `Last-Event-ID` of the stream.
    pub seq: i64,
    pub at: Timestamp,
    /// For example `server.running`.
    pub kind: String,
    pub noun: String,
    pub resource_id: String,
    pub name: String,
    pub project_id: Option<ProjectId>,
    pub actor: String,
    pub request_id: String,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: serde_json::Value,
}
