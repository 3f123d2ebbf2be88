//! What a connection can do, as data: the API refuses early from it, docs and test matrix are printed from it.

use serde::{Deserialize, Serialize};

/// As probed for this credential, not what the vendor sells. A family that is `None` here is `None` on the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    pub hosts: Option<Hosts>,
    pub compute: Option<Compute>,
    pub disks: Option<Disks>,
    pub networks: Option<Networks>,
    pub images: Option<Images>,
    pub snapshots: Option<Snapshots>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compute {
    /// Whether [`crate::Place::host`](crate::site::Place) is honoured.
    pub choose_host: bool,
    /// Whether servers can be resized while they run.
    pub resize_running: bool,
    pub console_log: bool,
    pub user_data: bool,
    /// Whether running servers with a network card tell their [`Sign`](crate::compute::Sign).
    pub sign: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disks {
    pub attach_running: bool,
    pub resize_attached: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networks {
    /// Whether addresses are ours to choose.
    pub choose_address: bool,
    pub bridge: bool,
    pub nat: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Formats an upload may have, for example `qcow2`.
    pub formats: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    /// Whether a disk of a running server can be snapshotted.
    pub running: bool,
    pub revert: bool,
}
