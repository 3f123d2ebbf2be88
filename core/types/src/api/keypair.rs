//! Keypairs: the public half of SSH keys that guests accept.

use serde::{Deserialize, Serialize};

use crate::{KeypairId, ProjectId, Timestamp};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Create {
    pub name: String,
    /// One line as in `authorized_keys`.
    pub public_key: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Keypair))]
pub struct View {
    pub id: KeypairId,
    pub name: String,
    pub public_key: String,
    pub project_id: ProjectId,
    pub created_at: Timestamp,
    pub version: i64,
}
