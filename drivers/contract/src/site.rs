//! Where a driver connects to, and where in it things are to be put.

use serde::{Deserialize, Serialize};

use crate::ExternalRef;

/// Everything a driver needs to reach one cloud account. Held in memory only; never logged.
#[derive(Clone, Default)]
pub struct Site {
    /// The account's name, for messages.
    pub account: String,
    /// What the user gave, in the shape of [`crate::Driver::credential_schema`].
    pub credential: serde_json::Value,
    /// Hosts that joined through an agent; empty for clouds that know their own hosts.
    pub hosts: Vec<Endpoint>,
    /// Our own identity towards agents.
    pub identity: Option<Identity>,
}

/// A host's agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The host's id in Isobar, which is also the host's reference on this cloud.
    pub host: ExternalRef,
    /// `https://address:port`.
    pub url: String,
}

/// A client certificate and the authority that agents' certificates must come from. All PEM.
#[derive(Clone)]
pub struct Identity {
    pub authority: String,
    pub certificate: String,
    pub key: String,
}

/// Where a new thing goes. Clouds ignore what they do not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub host: Option<ExternalRef>,
    /// The name of a storage pool on the host.
    pub storage: Option<String>,
    pub zone: Option<String>,
}
