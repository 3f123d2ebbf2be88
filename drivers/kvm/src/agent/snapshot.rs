//! Snapshots kept inside the qcow2 file. The file says which exist; a note, written first, says what each is called.

use std::{collections::BTreeMap, path::Path, process::Command};

use contract::{Error, ExternalRef, Result, SnapshotFacts, Token};
use uuid::Uuid;

use crate::agent::{
    disk::{LIMIT, Note},
    node::{self, Node},
    process, store,
};

/// `<volume>@<snapshot>`: the id part of a snapshot's reference.
pub fn parse(id: &str) -> Result<(Uuid, Uuid)> {
    let (volume, snapshot) = id.split_once('@').ok_or_else(|| Error::not_found("snapshot", id))?;
    Ok((node::parse("snapshot", volume)?, node::parse("snapshot", snapshot)?))
}

impl Node {
    /// Oldest first, which is their order in the file.
    pub fn snapshots(&self, volume: Uuid) -> Result<Vec<SnapshotFacts>> {
        let path = self.store.volume(volume);
        if !path.exists() {
            return Err(Error::not_found("disk", self.reference(volume)));
        }
        let mut facts = Vec::new();
        for snapshot in inside(&path)? {
            let note: Option<Note> = store::read_json(&self.store.snapshot_note(volume, snapshot))?;
            facts.push(SnapshotFacts {
                id: self.reference(format!("{volume}@{snapshot}")),
                name: note
                    .as_ref()
                    .map_or_else(|| snapshot.to_string(), |note| note.name.clone()),
                token: note.map(|note| note.token),
            });
        }
        Ok(facts)
    }

    pub fn create_snapshot(&self, volume: Uuid, name: &str, token: &Token) -> Result<ExternalRef> {
        let id = node::id("snapshot", token)?;
        let path = self.store.volume(volume);
        if !path.exists() {
            return Err(Error::not_found("disk", self.reference(volume)));
        }
        if !inside(&path)?.contains(&id) {
            self.must_rest(volume, "snapshotted")?;
            let note = Note {
                name: name.to_owned(),
                token: token.clone(),
            };
            store::write_json(&self.store.snapshot_note(volume, id), &note)?;
            change(&path, "-c", id)?;
        }
        Ok(self.reference(format!("{volume}@{id}")))
    }

    pub fn delete_snapshot(&self, volume: Uuid, snapshot: Uuid) -> Result<()> {
        let path = self.store.volume(volume);
        if path.exists() && inside(&path)?.contains(&snapshot) {
            self.must_rest(volume, "rid of a snapshot")?;
            change(&path, "-d", snapshot)?;
        }
        store::remove(&self.store.snapshot_note(volume, snapshot))
    }

    pub fn revert(&self, volume: Uuid, snapshot: Uuid) -> Result<()> {
        let path = self.store.volume(volume);
        if !path.exists() || !inside(&path)?.contains(&snapshot) {
            return Err(Error::not_found(
                "snapshot",
                self.reference(format!("{volume}@{snapshot}")),
            ));
        }
        self.must_rest(volume, "reverted")?;
        change(&path, "-a", snapshot)
    }

    /// Removes the notes of a volume whose snapshots are gone with its content.
    pub fn forget_snapshots(&self, volume: Uuid) -> Result<()> {
        let prefix = format!("{volume}@");
        for name in store::names(&self.store.pool())?
            .iter()
            .filter(|name| name.starts_with(&prefix))
        {
            store::remove(&self.store.pool().join(name))?;
        }
        Ok(())
    }
}

fn change(path: &Path, how: &str, snapshot: Uuid) -> Result<()> {
    let mut command = Command::new("qemu-img");
    command.args(["snapshot", "-q", how, &snapshot.to_string()]).arg(path);
    process::run(&mut command, LIMIT).map(drop)
}

/// The snapshots of ours in a file, also while a guest writes to it.
fn inside(path: &Path) -> Result<Vec<Uuid>> {
    #[derive(serde::Deserialize)]
    struct Info {
        #[serde(default)]
        snapshots: Vec<BTreeMap<String, serde_json::Value>>,
    }
    let mut command = Command::new("qemu-img");
    command.args(["info", "-U", "-f", "qcow2", "--output=json"]).arg(path);
    let info: Info = serde_json::from_slice(&process::run(&mut command, LIMIT)?)
        .map_err(|e| Error::broken("`qemu-img info` answered in a shape we do not know").because(e))?;
    let names = info
        .snapshots
        .iter()
        .filter_map(|snapshot| snapshot.get("name")?.as_str());
    Ok(names.filter_map(|name| Uuid::parse_str(name).ok()).collect())
}
