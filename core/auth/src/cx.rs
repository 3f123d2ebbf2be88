//! The context every operation starts with: the caller, the request, the time it may take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use types::{DomainId, Error, ProjectId, Result, UserId};

use crate::policy::{self, Policy, Reach};

/// What a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Scope {
    /// The whole installation.
    System,
    Domain {
        id: DomainId,
    },
    Project {
        id: ProjectId,
        domain: DomainId,
    },
    /// Logged in, but for nothing in particular yet.
    Unscoped,
}

/// A caller whose token was verified.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Who {
    pub user: UserId,
    pub user_name: String,
    /// The domain the user belongs to.
    pub domain: DomainId,
    pub scope: Scope,
    pub roles: Vec<String>,
}

/// Who asks, with what policy, under which request id, until when. Cheap to clone.
#[derive(Clone)]
pub struct Cx {
    who: Arc<Who>,
    policy: Arc<Policy>,
    request_id: Arc<str>,
    deadline: Option<Instant>,
}

impl Cx {
    pub fn new(who: Who, policy: Arc<Policy>, request_id: &str) -> Self {
        Self {
            who: Arc::new(who),
            policy,
            request_id: request_id.into(),
            deadline: None,
        }
    }

    /// For workers of ours that act for nobody in particular; `name` appears as the actor of events.
    pub fn service(name: &str, request_id: &str) -> Self {
        let who = Who {
            user: UserId::from(uuid_of(name)),
            user_name: name.to_owned(),
            domain: policy::default_domain(),
            scope: Scope::System,
            roles: vec!["service".to_owned()],
        };
        Self::new(who, Arc::new(Policy::default()), request_id)
    }

    pub fn who(&self) -> &Who {
        &self.who
    }

    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    pub fn with_deadline(mut self, limit: Duration) -> Self {
        self.deadline = Some(Instant::now() + limit);
        self
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How far the caller's right to do `verb` to `noun` extends.
    pub fn reach(&self, noun: &str, verb: &str) -> Reach {
        self.policy.reach(&self.who, noun, verb)
    }

    /// The project new things are made in.
    pub fn project(&self) -> Result<(&ProjectId, &DomainId)> {
        match &self.who.scope {
            Scope::Project { id, domain } => Ok((id, domain)),
            _ => Err(
                Error::invalid("this needs a token for a project: log in with a project name").code("project_needed"),
            ),
        }
    }
}

/// A stable id for a worker's name.
fn uuid_of(name: &str) -> uuid::Uuid {
    let mut bytes = [0u8; 16];
    for (slot, byte) in bytes.iter_mut().zip(name.bytes()) {
        *slot = byte;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
