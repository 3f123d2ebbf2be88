//! Roles to rights: how far a caller's right to do one verb to one noun extends.
//! The default personas are OpenStack's: admin, manager, member, reader; `service` is for our own workers.
//! The rules are `policy/default.csv`; casbin evaluates each case once, [`Policy::reach`] only looks the answer up.

mod nouns;
mod table;

use std::sync::{Arc, LazyLock};

use types::{DomainId, ProjectId, Result};

use crate::cx::{Scope, Who};

pub use nouns::{NOUNS, Noun};
use table::{Grant, Over, Table};

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

/// The roles the default rules speak of, most powerful first.
pub const ROLES: &[&str] = &["admin", "manager", "member", "reader", "service"];

/// Each role with the one it includes, as in OpenStack's default personas.
pub const IMPLIED: &[(&str, &str)] = &[("admin", "manager"), ("manager", "member"), ("member", "reader")];

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

/// What each role may do. Default deny: what is not granted by a rule, or not known at all, is refused.
#[derive(Clone)]
pub struct Policy {
    table: Arc<Table>,
}

static DEFAULT: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let table = Table::compile(include_str!("policy/default.csv"));
    Arc::new(table.expect("the built-in rules are tested"))
});

impl Default for Policy {
    fn default() -> Self {
        Self { table: DEFAULT.clone() }
    }
}

impl Policy {
    /// A policy from rules in the format of `policy/default.csv`.
    pub fn parse(rules: &str) -> Result<Self> {
        let table = Arc::new(Table::compile(rules)?);
        Ok(Self { table })
    }

    pub fn reach(&self, who: &Who, noun: &str, verb: &str) -> Reach {
        let over = match &who.scope {
            Scope::System => Over::System,
            Scope::Domain { .. } => Over::Domain,
            Scope::Project { .. } => Over::Project,
            Scope::Unscoped => return Reach::Nothing,
        };
        let Some(cell) = self.table.cell(noun, verb) else {
            return Reach::Nothing;
        };
        let best = who.roles.iter().map(|role| cell.grant(role, over)).max();
        match (best.unwrap_or_default(), &who.scope) {
            (Grant::Nothing, _) | (_, Scope::Unscoped) => Reach::Nothing,
            (Grant::Everything, _) | (Grant::Own, Scope::System) => Reach::Everything,
            (Grant::Own, Scope::Domain { id }) => Reach::Domain(id.clone()),
            (Grant::Own, Scope::Project { id, .. }) => Reach::Project(id.clone()),
        }
    }
}

/// The default policy as a table for people: every noun, verb and role, in each scope.
pub fn matrix() -> String {
    Policy::default().table.print()
}

#[cfg(test)]
mod tests;
