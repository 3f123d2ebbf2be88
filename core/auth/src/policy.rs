//! Roles to rights: how far a caller's right to do one verb to one noun extends.
//! The default personas are OpenStack's: admin, manager, member, reader; `service` is for our own workers.

use types::{DomainId, ProjectId};

use crate::cx::{Scope, Who};

/// How much of the world a right covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Nothing,
    Project(ProjectId),
    Domain(DomainId),
    Everything,
}

impl Reach {
    /// Whether a row of this project and domain lies within.
    pub fn covers(&self, project: Option<&ProjectId>, domain: Option<&DomainId>) -> bool {
        match self {
            Self::Nothing => false,
            Self::Project(id) => project == Some(id),
            Self::Domain(id) => domain == Some(id),
            Self::Everything => true,
        }
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// The domain every installation starts with; OpenStack clients know it by this id.
pub fn default_domain() -> DomainId {
    "default".parse().expect("`default` is a valid id")
}

/// Nouns that only administrators of the installation change: they are shared by all projects.
pub const SHARED: &[&str] = &[
    "region",
    "zone",
    "host",
    "storage",
    "flavor",
    "cloud-account",
    "join-token",
];

/// Verbs that change nothing.
pub const READS: &[&str] = &["list", "get"];

/// What each role may do. Default deny: what is not granted here is refused.
#[derive(Clone, Debug, Default)]
pub struct Policy {}

impl Policy {
    pub fn reach(&self, who: &Who, noun: &str, verb: &str) -> Reach {
        let has = |role: &str| who.roles.iter().any(|r| r == role);
        let reads = READS.contains(&verb);
        if has("admin") || has("service") {
            return Reach::Everything;
        }
        if SHARED.contains(&noun) {
            // Everybody may see what they can be placed on, by name; operators see the rest.
            let visible = matches!(noun, "region" | "zone" | "flavor");
            let member = has("manager") || has("member") || has("reader");
            return if reads && visible && member {
                Reach::Everything
            } else {
                Reach::Nothing
            };
        }
        match &who.scope {
            Scope::Domain { id } if has("manager") || (reads && has("reader")) => Reach::Domain(id.clone()),
            Scope::Project { id, .. } if has("manager") || has("member") || (reads && has("reader")) => {
                Reach::Project(id.clone())
            }
            Scope::System if reads && has("reader") => Reach::Everything,
            _ => Reach::Nothing,
        }
    }
}
