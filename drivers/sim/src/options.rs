//! The knobs of a simulated cloud, as they come from a form, a file or `--option hosts=20`: numbers may be text.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use contract::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Value, json};
use types::Size;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    #[serde(deserialize_with = "number")]
    pub hosts: u32,
    #[serde(deserialize_with = "number")]
    pub vcpus_per_host: u32,
    /// How many virtual CPUs share a real one before a host is full. Memory and disk are never shared.
    #[serde(deserialize_with = "number")]
    pub cpu_overcommit: u32,
    pub memory_per_host: Size,
    pub disk_per_host: Size,
    /// How long creates, starts and other slow operations take; 0 answers at once. Each takes half to one and a half of it.
    #[serde(deserialize_with = "number")]
    pub latency_ms: u64,
    /// How long a guest takes from its power-on to its first sign of life; 0 gives it at once.
    #[serde(deserialize_with = "number")]
    pub boot_ms: u64,
    /// The share of calls, 0 to 1, that fail as `Unavailable`: half of them before the effect, half after it.
    #[serde(deserialize_with = "number")]
    pub failure_rate: f64,
    /// Where the randomness of latency and failures begins.
    #[serde(deserialize_with = "number")]
    pub seed: u64,
    #[serde(deserialize_with = "number")]
    pub page_size: usize,
    /// The journal that holds this cloud: a file, or a directory that gets one file per account.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hosts: 3,
            vcpus_per_host: 16,
            cpu_overcommit: 16,
            memory_per_host: Size::gib(64),
            disk_per_host: Size::gib(1024),
            latency_ms: 0,
            boot_ms: 0,
            failure_rate: 0.0,
            seed: 0,
            page_size: 100,
            state: None,
        }
    }
}

impl Options {
    /// Nothing at all is a complete set of options.
    pub fn read(credential: &Value) -> Result<Self> {
        if credential.is_null() {
            return Ok(Self::default());
        }
        // A sequence would be read as the fields in order.
        if !credential.is_object() {
            return Err(Error::invalid(
                "the options of a simulated cloud are an object of names and values",
            ));
        }
        let options: Self = serde_json::from_value(credential.clone())
            .map_err(|e| Error::invalid(format!("the options of the simulated cloud are wrong: {e}")))?;
        if !(0.0..=1.0).contains(&options.failure_rate) {
            return Err(Error::invalid("`failure_rate` is a share between 0 and 1"));
        }
        if options.hosts == 0 || options.page_size == 0 {
            return Err(Error::invalid("`hosts` and `page_size` are at least 1"));
        }
        Ok(options)
    }
}

/// A number, or the text of one.
fn number<'de, D: Deserializer<'de>, T: Deserialize<'de> + FromStr<Err: Display>>(from: D) -> Result<T, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<T> {
        Number(T),
        Text(String),
    }
    match Written::<T>::deserialize(from)? {
        Written::Number(n) => Ok(n),
        Written::Text(text) => text
            .trim()
            .parse()
            .map_err(|e| de::Error::custom(format!("`{text}` is not a number: {e}"))),
    }
}

/// What forms and `--option` offer.
pub fn schema() -> Value {
    let defaults = Options::default();
    let whole =
        |about: &str, default: u64| json!({"type": "integer", "minimum": 0, "default": default, "description": about});
    let size =
        |about: &str, default: Size| json!({"type": "string", "default": default.to_string(), "description": about});
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "hosts": whole("how many hosts it has", defaults.hosts.into()),
            "vcpus_per_host": whole("real CPUs of each host", defaults.vcpus_per_host.into()),
            "cpu_overcommit": whole("virtual CPUs per real one", defaults.cpu_overcommit.into()),
            "memory_per_host": size("memory of each host, for example 64G", defaults.memory_per_host),
            "disk_per_host": size("storage of each host, for example 1T", defaults.disk_per_host),
            "latency_ms": whole("milliseconds that slow operations take", defaults.latency_ms),
            "boot_ms": whole("milliseconds from a guest's power-on to its first sign of life", defaults.boot_ms),
            "failure_rate": {
                "type": "number", "minimum": 0, "maximum": 1, "default": 0,
                "description": "share of calls that fail as unavailable",
            },
            "seed": whole("where its randomness begins", defaults.seed),
            "page_size": whole("items on a page of a list", defaults.page_size as u64),
            "state": {"type": "string", "description": "file or directory that holds the cloud; without it, it lives in the process"},
        },
    })
}

#[cfg(test)]
mod tests {
    use contract::Kind;

    use super::*;

    #[test]
    fn numbers_may_be_text() {
        let options = Options::read(&json!({"hosts": "20", "memory_per_host": "8G", "failure_rate": "0.5"})).unwrap();
        assert_eq!(options.hosts, 20);
        assert_eq!(options.memory_per_host, Size::gib(8));
        assert_eq!(options.failure_rate, 0.5);
        assert_eq!(Options::read(&json!({"hosts": 4})).unwrap().hosts, 4);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for wrong in [
            json!({"host": 3}),
            json!({"hosts": "many"}),
            json!({"hosts": 0}),
            json!({"failure_rate": 2}),
            json!([3]),
        ] {
            assert_eq!(Options::read(&wrong).unwrap_err().kind, Kind::Invalid, "{wrong}");
        }
    }

    #[test]
    fn the_schema_names_every_option_and_no_other() {
        let options = serde_json::to_value(Options::default()).unwrap();
        let schema = schema();
        let keys = |v: &Value| {
            v.as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(keys(&options), keys(&schema["properties"]));
    }
}
