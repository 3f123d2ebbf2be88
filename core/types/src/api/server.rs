//! Servers: virtual machines, wherever they run.

use serde::{Deserialize, Serialize};

use super::{Accepted, Tags};
use crate::{DiskId, FlavorId, HostId, NetworkId, ProjectId, ServerId, Size, TaskId, Timestamp, states};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Create {
    pub name: String,
    /// Name or id, like everything that refers to something here.
    pub image: String,
    pub flavor: String,
    /// At least one; the first gives the default route.
    pub networks: Vec<String>,
    /// 1 to 500; above 1 the names get `-1`, `-2`, ...
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keypair: Option<String>,
    /// Given to cloud-init as it is; at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<String>,
    /// Larger than the flavor's, when wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_disk: Option<Size>,
    /// Servers of one group go to different hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart_from: Option<String>,
    /// Host tags that must, should, should not and must not be there.
    #[serde(default, skip_serializing_if = "Wishes::is_empty")]
    pub host_tags: Wishes,
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Leave it stopped after it was made.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
}

/// Constraints on host tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Wishes {
    pub require: Vec<String>,
    pub prefer: Vec<String>,
    pub avoid: Vec<String>,
    pub exclude: Vec<String>,
}

impl Wishes {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

/// What a create answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Created {
    /// Each server with the task that makes it.
    pub items: Vec<Accepted<View>>,
    /// The task that waits for the tasks of all servers; absent when there is one server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
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
#[cfg_attr(feature = "openapi", schema(as = Server))]
pub struct View {
    pub id: ServerId,
    pub name: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: states::Server,
    /// As the cloud last reported it.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub power_state: states::Power,
    pub power_seen_at: Option<Timestamp>,
    /// Whether its guest lives, as far as the cloud can tell; none while it is off and until it was looked at.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub guest: Option<states::Guest>,
    /// Since when the guest is so.
    pub guest_since: Option<Timestamp>,
    /// Why it failed, when it did.
    pub fault: Option<String>,
    /// The task that holds it now.
    pub task: Option<TaskId>,
    /// The host's name.
    pub host: Option<String>,
    pub host_id: Option<HostId>,
    pub account: Option<String>,
    pub zone: Option<String>,
    pub image: String,
    pub flavor: String,
    pub flavor_id: FlavorId,
    pub vcpus: u32,
    pub memory: Size,
    pub addresses: Vec<Address>,
    pub disks: Vec<DiskId>,
    pub keypair: Option<String>,
    pub tags: Tags,
    pub project_id: ProjectId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Send it back in `If-Match` to change only what you have seen.
    pub version: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Address {
    pub network: String,
    pub network_id: NetworkId,
    pub address: String,
    pub mac: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stop {
    /// Cut the power at once instead of asking the guest.
    pub force: bool,
    /// How long the guest may take to shut down before the power is cut; 60 s when absent, at most 3600.
    pub timeout_seconds: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Resize {
    pub flavor: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rebuild {
    /// The one it was made from, when absent.
    pub image: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsoleLog {
    pub text: String,
}

/// What `dry_run` answers: where it would go, and why, or the reasons it cannot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Plan {
    pub placements: Vec<Planned>,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub explanation: serde_json::Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Planned {
    pub server: String,
    pub host: String,
    pub why: String,
}
