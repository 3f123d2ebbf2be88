//! Configuration in one typed place: a TOML file, then `ISOBAR_*` variables, then flags.
//! Every field has a default that works with no file at all; unknown keys are refused.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What `isobar` can be told. `cargo xtask gen` writes the reference page from [`FIELDS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub data_dir: PathBuf,
    pub listen: String,
    pub database_url: Option<String>,
    pub public_url: Option<String>,
    pub region: String,
    pub roles: Vec<String>,
    pub keystone_url: Option<String>,
    pub region_url: Option<String>,
    pub scheduler_url: Option<String>,
    pub glance_url: Option<String>,
    pub service_secret: Option<String>,
    pub admin_password: Option<String>,
    pub image_store: Option<String>,
    pub image_import_allow: Vec<String>,
    pub trust_forwarded: bool,
    pub token_minutes: u32,
    pub task_minutes: u32,
    pub task_history_days: u32,
    pub log: String,
    pub log_format: String,
}

/// Name, environment variable and meaning of each field, in file order.
pub const FIELDS: &[(&str, &str)] = &[
    ("data_dir", "where SQLite, images, keys and admin.env live"),
    ("listen", "address and port to serve on; port 0 picks a free one"),
    (
        "database_url",
        "postgres://... shared by all replicas; without it SQLite in data_dir is used",
    ),
    (
        "public_url",
        "the origin clients use, when a proxy stands before this process",
    ),
    ("region", "name of the region this installation is"),
    (
        "roles",
        "any of keystone, region, scheduler, glance, apigateway; all of them when empty",
    ),
    (
        "keystone_url",
        "where other processes serve keystone, when this one does not: one origin, or several with commas",
    ),
    ("region_url", "the same for region"),
    ("scheduler_url", "the same for scheduler"),
    ("glance_url", "the same for glance"),
    (
        "service_secret",
        "password of the service user; the same in every process of one installation",
    ),
    (
        "admin_password",
        "password of the first administrator; generated when absent",
    ),
    (
        "image_store",
        "s3://bucket/prefix for images; without it a directory in data_dir is used",
    ),
    (
        "image_import_allow",
        "private networks that image imports by URL may read from, for example 10.0.0.0/8",
    ),
    (
        "trust_forwarded",
        "true when a proxy of yours stands in front and sets X-Forwarded-For, -Host and -Proto",
    ),
    ("token_minutes", "how long a token lives"),
    (
        "task_minutes",
        "how long a task that is over stays in the table that workers read, before it moves to history",
    ),
    (
        "task_history_days",
        "how long a task that is over can be read; 0 keeps them for ever",
    ),
    ("log", "tracing filter, for example info or region=debug,info"),
    ("log_format", "text or json"),
];

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/isobar"),
            listen: "127.0.0.1:8500".to_owned(),
            database_url: None,
            public_url: None,
            region: "home".to_owned(),
            roles: Vec::new(),
            keystone_url: None,
            region_url: None,
            scheduler_url: None,
            glance_url: None,
            service_secret: None,
            admin_password: None,
            image_store: None,
            image_import_allow: Vec::new(),
            trust_forwarded: false,
            token_minutes: 60,
            task_minutes: 10,
            task_history_days: 30,
            log: "info".to_owned(),
            log_format: "text".to_owned(),
        }
    }
}

impl Config {
    /// Builds a configuration from a file's text and the `ISOBAR_*` variables of an environment.
    ///
    /// Lists are written with commas in a variable. Errors name the key and where it came from.
    pub fn load(file: Option<&str>, env: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut table: toml::Table = match file {
            Some(text) => text
                .parse()
                .map_err(|e| Error::invalid("the configuration file is not valid TOML").because(e))?,
            None => toml::Table::new(),
        };
        let known: BTreeMap<String, &str> = FIELDS
            .iter()
            .map(|(name, _)| (format!("ISOBAR_{}", name.to_uppercase()), *name))
            .collect();
        for (variable, value) in env.filter(|(name, _)| known.contains_key(name)) {
            let name = known[&variable];
            table.insert(name.to_owned(), from_text(name, &value)?);
        }
        table
            .try_into()
            .map_err(|e| Error::invalid("the configuration has a key or value that is not known").because(e))
    }
}

fn from_text(name: &str, value: &str) -> Result<toml::Value> {
    Ok(match name {
        "roles" | "image_import_allow" => toml::Value::Array(
            value
                .split(',')
                .map(str::trim)
                .filter(|r| !r.is_empty())
                .map(|r| r.to_owned().into())
                .collect(),
        ),
        "trust_forwarded" => match value {
            "true" => true.into(),
            "false" => false.into(),
            _ => {
                return Err(Error::invalid(format!(
                    "ISOBAR_TRUST_FORWARDED is `{value}`; it must be true or false"
                )));
            }
        },
        "token_minutes" | "task_minutes" | "task_history_days" => {
            let number: i64 = value.parse().map_err(|_| {
                let variable = name.to_uppercase();
                Error::invalid(format!("ISOBAR_{variable} is `{value}`; it must be a whole number"))
            })?;
            number.into()
        }
        _ => value.to_owned().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_overridden_by_the_environment() {
        let env = [
            ("ISOBAR_LISTEN", "0.0.0.0:1"),
            ("ISOBAR_ROLES", "region, glance"),
            ("HOME", "/root"),
        ];
        let config = Config::load(
            Some("listen = '127.0.0.1:9'\nregion = 'r1'"),
            env.iter().map(|(k, v)| (k.to_string(), v.to_string())),
        )
        .unwrap();
        assert_eq!(config.listen, "0.0.0.0:1");
        assert_eq!(config.region, "r1");
        assert_eq!(config.roles, ["region", "glance"]);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = Config::load(Some("lisen = 'x'"), std::iter::empty()).unwrap_err();
        assert!(error.chain().contains("lisen"), "{}", error.chain());
    }

    #[test]
    fn every_field_is_described() {
        let table = toml::Table::try_from(Config {
            database_url: Some(String::new()),
            public_url: Some(String::new()),
            keystone_url: Some(String::new()),
            region_url: Some(String::new()),
            scheduler_url: Some(String::new()),
            glance_url: Some(String::new()),
            service_secret: Some(String::new()),
            admin_password: Some(String::new()),
            image_store: Some(String::new()),
            ..Config::default()
        })
        .unwrap();
        let described: Vec<_> = FIELDS.iter().map(|(name, _)| *name).collect();
        let mut fields: Vec<_> = table.keys().map(String::as_str).collect();
        let mut sorted = described.clone();
        fields.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(fields, sorted);
    }
}
