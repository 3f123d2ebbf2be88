//! The first administrator's password and the service secret: kept in the data directory, readable by its owner only.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use types::{Error, Result, config::Config};

/// The administrator's password: from an earlier start, from the configuration, or new. The configuration counts only at
/// the first start: later the user exists, and its password is changed at keystone.
pub fn password(config: &Config) -> String {
    let earlier = fs::read_to_string(config.data_dir.join("admin.env"));
    earlier
        .ok()
        .and_then(|text| value(&text, "OS_PASSWORD"))
        .or_else(|| config.admin_password.clone())
        .unwrap_or_else(secret)
}

fn value(text: &str, key: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.trim_start_matches("export ").strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim_matches('\'').to_owned())
}

/// Writes what climc and the OpenStack client read. The password is on disk before the user exists.
pub fn write_env(config: &Config, origin: &str, password: &str) -> Result<()> {
    let lines = [
        ("OS_AUTH_URL", format!("{origin}/identity/v3")),
        ("OS_USERNAME", "admin".to_owned()),
        ("OS_PASSWORD", password.to_owned()),
        ("OS_PROJECT_NAME", "admin".to_owned()),
        ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
        ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
        ("OS_REGION_NAME", config.region.clone()),
        ("OS_IDENTITY_API_VERSION", "3".to_owned()),
    ];
    let text: String = lines
        .iter()
        .map(|(key, value)| format!("export {key}='{value}'\n"))
        .collect();
    write_private(&config.data_dir.join("admin.env"), &text)
}

/// The services' own password. One process on SQLite makes it; several processes must be told the same one.
pub fn service_secret(config: &Config) -> Result<String> {
    if let Some(secret) = &config.service_secret {
        return Ok(secret.clone());
    }
    if config.database_url.is_some() {
        return Err(Error::invalid(
            "several processes may share this database: set service_secret (or ISOBAR_SERVICE_SECRET) to the same long random text in all of them",
        ));
    }
    let path = config.data_dir.join("service.secret");
    match fs::read_to_string(&path) {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret.trim().to_owned()),
        _ => {
            let secret = secret();
            write_private(&path, &secret)?;
            Ok(secret)
        }
    }
}

fn secret() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// Replaces the file whole, mode 0600.
fn write_private(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(|e| Error::unavailable(format!("{} cannot be written", path.display())).because(e))
}
