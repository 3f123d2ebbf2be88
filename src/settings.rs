//! The configuration of this process: file, then environment, then flags. And its log.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use types::{Error, Result, config::Config};

use crate::cli::Common;

pub fn load(flags: Common) -> Result<Config> {
    let file = match &flags.config {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|e| {
            Error::invalid(format!("the configuration file {} cannot be read", path.display())).because(e)
        })?),
        None => None,
    };
    let mut config = Config::load(file.as_deref(), std::env::vars())?;
    if let Some(dir) = flags.data_dir {
        config.data_dir = dir;
    }
    if let Some(listen) = flags.listen {
        config.listen = listen;
    }
    if flags.database_url.is_some() {
        config.database_url = flags.database_url;
    }
    if flags.public_url.is_some() {
        config.public_url = flags.public_url;
    }
    if !flags.role.is_empty() {
        config.roles = flags.role;
    }
    Ok(config)
}

/// Logs to stderr, with colours only for a person. A second call changes nothing.
pub fn log(filter: &str, format: &str) -> Result<()> {
    let filter =
        EnvFilter::try_new(filter).map_err(|e| Error::invalid(format!("`{filter}` is not a log filter")).because(e))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(std::io::stderr);
    let set = match format {
        "json" => log.json().try_init(),
        "text" => log.try_init(),
        other => {
            return Err(Error::invalid(format!(
                "log_format is `{other}`; it must be text or json"
            )));
        }
    };
    set.or(Ok(()))
}
