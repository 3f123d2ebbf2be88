//! The roles a process may have, and where the services of other processes are.

use types::{Error, Result, config::Config};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Keystone,
    Region,
    Scheduler,
    Glance,
    Apigateway,
}

const ALL: [(&str, Role); 5] = [
    ("keystone", Role::Keystone),
    ("region", Role::Region),
    ("scheduler", Role::Scheduler),
    ("glance", Role::Glance),
    ("apigateway", Role::Apigateway),
];

/// The roles of this process.
#[derive(Clone, Debug)]
pub struct Roles(Vec<Role>);

impl Roles {
    pub fn parse(words: &[String]) -> Result<Self> {
        if words.is_empty() {
            return Ok(Self(ALL.iter().map(|(_, role)| *role).collect()));
        }
        let find = |word: &String| {
            ALL.iter()
                .find(|(name, _)| name == word)
                .map(|(_, role)| *role)
                .ok_or_else(|| {
                    let known: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
                    Error::invalid(format!("there is no role `{word}`: use any of {}", known.join(", ")))
                })
        };
        words.iter().map(find).collect::<Result<_>>().map(Self)
    }

    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    pub fn names(&self) -> String {
        let names: Vec<_> = ALL
            .iter()
            .filter(|(_, role)| self.has(*role))
            .map(|(name, _)| *name)
            .collect();
        names.join(", ")
    }
}

/// The origin of the process that serves `role`, for a process that does not.
pub fn elsewhere(config: &Config, role: Role) -> Result<&str> {
    let (key, url) = match role {
        Role::Keystone => ("keystone_url", &config.keystone_url),
        Role::Region => ("region_url", &config.region_url),
        Role::Scheduler => ("scheduler_url", &config.scheduler_url),
        Role::Glance => ("glance_url", &config.glance_url),
        Role::Apigateway => return Err(Error::broken("nothing calls the gateway")),
    };
    url.as_deref().map(|url| url.trim_end_matches('/')).ok_or_else(|| {
        Error::invalid(format!(
            "this process does not serve {role:?} itself: set {key} (or ISOBAR_{}) to where it is",
            key.to_uppercase()
        ))
    })
}
