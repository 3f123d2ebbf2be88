//! The text files of the repository, read once; checks are functions over them and do no I/O.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// Directories that hold nothing of ours.
const SKIPPED: &[&str] = &["target", "__pycache__", "node_modules", "venv"];
/// Hidden directories that are ours all the same.
const HIDDEN: &[&str] = &[".cargo", ".ci", ".config", ".github"];

/// Path below the root, with `/` between parts, to content.
pub struct Tree(pub BTreeMap<String, String>);

impl Tree {
    pub fn read(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        walk(root, "", &mut files)?;
        Ok(Self(files))
    }

    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Path and content of files that end so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .iter()
            .filter(move |(path, _)| path.ends_with(end))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    #[cfg(test)]
    pub fn sample(files: &[(&str, &str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
                .collect(),
        )
    }
}

fn walk(dir: &Path, below: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("{} cannot be read", dir.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("{} cannot be read", dir.display()))?;
        let (name, kind) = (entry.file_name().to_string_lossy().into_owned(), entry.file_type()?);
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let ours = !name.starts_with('.') || HIDDEN.contains(&name.as_str());
        if kind.is_dir() && ours && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &path, files)?;
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            // What is not text has no lines to check; a file that vanished meanwhile needs none.
            files.insert(path, text);
        }
    }
    Ok(())
}

/// The workspace's directory.
pub fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map(Path::to_owned)
        .context("xtask has no workspace above it")
}
