//! Logins kept under names in `$XDG_CONFIG_HOME/isobar/contexts.toml`, readable by their owner alone.
//!
//! A context that is named (`--context`, `CLIMC_CONTEXT`) wins over the OS_* variables, these over the current context.

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use isobar_sdk::Auth;
use serde::{Deserialize, Serialize};

use crate::{app::directory, failure::Failure};

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Contexts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    pub contexts: BTreeMap<String, Auth>,
}

fn path() -> Result<PathBuf, Failure> {
    directory("XDG_CONFIG_HOME", ".config")
        .map(|dir| dir.join("contexts.toml"))
        .ok_or_else(|| Failure::usage("neither XDG_CONFIG_HOME nor HOME is set, so there is no place for contexts"))
}

impl Contexts {
    pub fn load() -> Result<Self, Failure> {
        Self::read(&path()?)
    }

    pub fn save(&self) -> Result<(), Failure> {
        self.write(&path()?)
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        match fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text)
                .map_err(|e| Failure::local(format!("`{}` cannot be understood", path.display()), e)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(Failure::local(format!("`{}` cannot be read", path.display()), error)),
        }
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        let text = toml::to_string(self).map_err(|e| Failure::local("the contexts cannot be written as TOML", e))?;
        let part = path.with_extension("part");
        let write = || {
            if let Some(dir) = path.parent() {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            }
            let _ = fs::remove_file(&part);
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&part)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&part, path)
        };
        write().map_err(|e: std::io::Error| Failure::local(format!("`{}` cannot be written", path.display()), e))
    }

    pub fn get(&self, name: &str) -> Result<&Auth, Failure> {
        self.contexts
            .get(name)
            .ok_or_else(|| types::Error::not_found("context", name).into())
    }
}

/// The login to use.
pub fn login(named: Option<&str>) -> Result<Auth, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(name) = named.map(str::to_owned).or_else(|| variable("CLIMC_CONTEXT")) {
        return Contexts::load()?.get(&name).cloned();
    }
    if variable("OS_AUTH_URL").is_some() {
        return Ok(Auth::from_env()?);
    }
    let contexts = Contexts::load()?;
    match &contexts.current {
        Some(name) => contexts.get(name).cloned(),
        None => Err(Failure::from(isobar_sdk::Error::new(
            types::Kind::Unauthenticated,
            "it is not known where to log in: OS_AUTH_URL is not set and no context is chosen",
        ))
        .hint("read the server's `admin.env` into the shell (`set -a; . DATA_DIR/admin.env`), or see `climc context set --help`")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn contexts_survive_and_stay_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("isobar/contexts.toml");
        let mut contexts = Contexts::read(&path).ok().unwrap();
        contexts.current = Some("lab".into());
        let auth = Auth {
            auth_url: "http://h/v3".into(),
            password: Some("p".into()),
            ..Auth::default()
        };
        contexts.contexts.insert("lab".into(), auth.clone());
        contexts.write(&path).ok().unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Contexts::read(&path).ok().unwrap().get("lab").ok() == Some(&auth));
        fs::write(&path, "nonsense = 1").unwrap();
        assert!(Contexts::read(&path).is_err());
    }
}
