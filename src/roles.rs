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

/// The origins of the processes that serve `role`, for a process that does not: one, or several with commas.
pub fn elsewhere(config: &Config, role: Role) -> Result<Vec<String>> {
    let (key, text) = match role {
        Role::Keystone => ("keystone_url", &config.keystone_url),
        Role::Region => ("region_url", &config.region_url),
        Role::Scheduler => ("scheduler_url", &config.scheduler_url),
        Role::Glance => ("glance_url", &config.glance_url),
        Role::Apigateway => return Err(Error::broken("nothing calls the gateway")),
    };
    let words = text.as_deref().unwrap_or_default().split(',').map(str::trim);
    let origins: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(|word| word.trim_end_matches('/').to_owned())
        .collect();
    if origins.is_empty() {
        return Err(Error::invalid(format!(
            "this process does not serve {role:?} itself: set {key} (or ISOBAR_{}) to where it is",
            key.to_uppercase()
        )));
    }
    match origins
        .iter()
        .find(|origin| !origin.starts_with("http://") && !origin.starts_with("https://"))
    {
        Some(wrong) => Err(Error::invalid(format!(
            "{key} names `{wrong}`: write http:// or https:// before each of its origins"
        ))),
        None => Ok(origins),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheduler_at(text: &str) -> Result<Vec<String>> {
        let config = Config {
            scheduler_url: Some(text.to_owned()),
            ..Config::default()
        };
        elsewhere(&config, Role::Scheduler)
    }

    #[test]
    fn a_setting_names_one_replica_or_several() {
        assert_eq!(scheduler_at("http://a:1/").unwrap(), ["http://a:1"]);
        assert_eq!(
            scheduler_at("http://a:1, https://b:2/,").unwrap(),
            ["http://a:1", "https://b:2"]
        );
    }

    #[test]
    fn a_setting_that_names_nobody_is_refused_by_its_key() {
        for (text, said) in [
            (" , ", "set scheduler_url (or ISOBAR_SCHEDULER_URL)"),
            ("http://a, b:2", "scheduler_url names `b:2`"),
        ] {
            let error = scheduler_at(text).unwrap_err();
            assert!(error.message.contains(said), "{}", error.message);
        }
    }
}
