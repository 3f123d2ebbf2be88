//! What a verifier needs to know: the public keys in use and what was revoked before it expired.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{DomainId, ProjectId, Result, Timestamp, UserId};

use crate::cx::Scope;
use crate::token::Claims;

/// One public key: `x` is the raw Ed25519 key in base64url, as in a JWK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    pub kid: String,
    pub x: String,
}

/// Everything a verifier works from. `revocations` has no default: an answer without it is not accepted by mistake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    pub keys: Vec<PublicKey>,
    pub revocations: Revocations,
}

/// Tokens that ended before their time. Entries are kept only while a token they concern could still be alive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocations {
    /// Single tokens, and all that were derived from them.
    pub audit_ids: HashSet<String>,
    /// The lowest epoch that is still good.
    pub users: HashMap<UserId, i64>,
    /// Tokens for this project issued until then are void.
    pub projects: HashMap<ProjectId, Timestamp>,
    /// Tokens of users of this domain, or for it or its projects, issued until then are void.
    pub domains: HashMap<DomainId, Timestamp>,
}

impl Revocations {
    pub fn covers(&self, claims: &Claims) -> bool {
        let ended = |until: Option<&Timestamp>| until.is_some_and(|until| claims.issued_at <= *until);
        let scope = match &claims.scope {
            Scope::Project { id, domain } => ended(self.projects.get(id)) || ended(self.domains.get(domain)),
            Scope::Domain { id } => ended(self.domains.get(id)),
            Scope::System | Scope::Unscoped => false,
        };
        scope
            || ended(self.domains.get(&claims.domain))
            || self
                .users
                .get(&claims.user)
                .is_some_and(|lowest| claims.epoch < *lowest)
            || claims.audit_ids.iter().any(|id| self.audit_ids.contains(id))
    }
}

/// Where a verifier gets its keys: the database inside keystone, HTTP elsewhere.
#[async_trait]
pub trait KeySource: Send + Sync {
    async fn load(&self) -> Result<KeySet>;
}
