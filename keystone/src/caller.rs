//! The caller of a request: a verified token, or 401.

use auth::{Cx, Reach, Scope, token::Claims};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use types::{DomainId, Error, Kind, Result};

use crate::{State, answer::Failure, front::RequestId};

/// Who asks, with which token.
pub struct Caller {
    pub cx: Cx,
    pub claims: Claims,
}

impl Caller {
    pub fn is(&self, user: &str) -> bool {
        self.claims.user.as_str() == user
    }

    /// Whether the caller holds `role` or more.
    pub fn holds(&self, role: &str) -> bool {
        self.claims.roles.iter().any(|held| held == role || held == "admin")
    }

    /// Whether the caller may hand out any right.
    pub fn is_admin(&self) -> bool {
        self.holds("admin") || self.holds("service")
    }

    /// The domain new things are made in when the caller names none.
    pub fn home(&self) -> DomainId {
        match &self.claims.scope {
            Scope::Domain { id } | Scope::Project { domain: id, .. } => id.clone(),
            Scope::System | Scope::Unscoped => self.claims.domain.clone(),
        }
    }

    pub fn domain(&self) -> &DomainId {
        &self.claims.domain
    }

    /// The caller's reach; `Denied` when it is nothing.
    pub fn reach(&self, noun: &str, verb: &str) -> Result<Reach> {
        match self.cx.reach(noun, verb) {
            Reach::Nothing => Err(refused(noun, verb)),
            reach => Ok(reach),
        }
    }

    /// Only for who may do it everywhere.
    pub fn everywhere(&self, noun: &str, verb: &str) -> Result<()> {
        match self.cx.reach(noun, verb) {
            Reach::Everything => Ok(()),
            _ => Err(refused(noun, verb)),
        }
    }
}

pub fn refused(noun: &str, verb: &str) -> Error {
    Error::denied(format!(
        "your roles do not let you {verb} this {noun}: ask an administrator"
    ))
}

/// A token from a header, if it is there.
pub fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

impl FromRequestParts<State> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Failure> {
        let Some(token) = header(&parts.headers, "x-auth-token") else {
            return Err(Error::new(
                Kind::Unauthenticated,
                "this needs a token: log in and send it as X-Auth-Token",
            )
            .into());
        };
        let (who, claims) = state.verifier().verify_fresh(&token, state.now()).await?;
        let id = parts.extensions.get::<RequestId>().map_or("", |id| id.0.as_str());
        Ok(Self {
            cx: Cx::new(who, state.policy().clone(), id),
            claims,
        })
    }
}
