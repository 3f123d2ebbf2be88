//! Volumes: qcow2 files in the pool. What a file stands on and how large it is, its own header says; a note
//! beside it, written first, holds name and token.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use contract::{Error, ExternalRef, Kind, Result, Token, Volume, VolumeSpec, page::Skipped};
use serde::{Deserialize, Serialize};
use types::Size;
use uuid::Uuid;
use virt::sys;

use crate::{
    agent::{
        compute::{Ours, active},
        domain, host,
        image::Base,
        libvirt,
        node::{self, Node},
        process, qcow2, store,
    },
    wire::Listing,
};

/// For work on the metadata of a file; no content is copied.
pub const LIMIT: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
pub struct Note {
    pub name: String,
    pub token: Token,
}

impl Node {
    pub fn volumes(&self) -> Result<Listing<Volume>> {
        let (mut items, mut skipped) = (Vec::new(), Vec::new());
        let attached = self.attachments()?;
        for id in self.volume_ids()? {
            match self.read_volume(id, attached.get(&id).copied()) {
                Ok(volume) => items.extend(volume),
                Err(error) => skipped.push(Skipped {
                    item: self.reference(id).to_string(),
                    reason: error.chain(),
                }),
            }
        }
        Ok(Listing { items, skipped })
    }

    pub fn volume(&self, id: Uuid) -> Result<Volume> {
        let attached = self.attachments()?.get(&id).copied();
        self.read_volume(id, attached)?
            .ok_or_else(|| Error::not_found("disk", self.reference(id)))
    }

    pub fn volume_of(&self, token: &Token) -> Result<Option<Volume>> {
        let id = node::id("volume", token)?;
        self.read_volume(id, self.attachments()?.get(&id).copied())
    }

    pub fn create_volume(&self, spec: &VolumeSpec, token: &Token) -> Result<ExternalRef> {
        let id = node::id("volume", token)?;
        if !self.store.volume(id).exists() {
            let base = spec
                .image
                .as_ref()
                .map(|image| self.base(self.local("image", image)?))
                .transpose()?;
            self.check_room(spec.size)?;
            let note = Note {
                name: spec.name.clone(),
                token: token.clone(),
            };
            store::write_json(&self.store.volume_note(id), &note)?;
            self.make(id, spec.size, base.as_ref())?;
        }
        Ok(self.reference(id))
    }

    /// Writes the file beside its place and moves it there whole.
    fn make(&self, id: Uuid, size: Size, base: Option<&Base>) -> Result<()> {
        if size.as_bytes() < base.map_or(1, |base| base.size) {
            let least = Size::bytes(base.map_or(1, |base| base.size));
            return Err(
                Error::invalid(format!("a disk of {size} is too small: it must hold {least}")).code("disk_too_small"),
            );
        }
        let path = self.store.volume(id);
        let part = store::part(&path);
        let mut command = Command::new("qemu-img");
        command.args(["create", "-q", "-f", "qcow2"]);
        if let Some(base) = base {
            command.arg("-b").arg(&base.path).args(["-F", base.format.as_str()]);
        }
        command
            .arg(&part)
            .arg(size.as_bytes().next_multiple_of(512).to_string());
        process::run(&mut command, LIMIT)?;
        store::commit(&part, &path)
    }

    pub fn delete_volume(&self, id: Uuid) -> Result<()> {
        if let Some(machine) = self.attachments()?.get(&id) {
            let message = format!("disk {id} is attached to server {machine}: detach it first");
            return Err(Error::conflict(message).code("disk_attached"));
        }
        store::remove(&self.store.volume(id))?;
        self.forget_snapshots(id)?;
        store::remove(&self.store.volume_note(id))
    }

    pub fn grow(&self, id: Uuid, size: Size) -> Result<()> {
        let volume = self.volume(id)?;
        let bytes = size.as_bytes().next_multiple_of(512);
        if volume.size.as_bytes() == bytes {
            return Ok(());
        }
        if bytes < volume.size.as_bytes() {
            let message = format!(
                "disk {} has {}; it can grow but not shrink to {size}",
                volume.name, volume.size
            );
            return Err(Error::invalid(message).code("disk_shrink"));
        }
        self.check_room(size)?;
        let path = self.store.volume(id);
        if let Some(ours) = self.runner(id)? {
            let what = format!("disk {} cannot grow", volume.name);
            let path = path.display().to_string();
            return ours
                .domain
                .block_resize(&path, bytes, sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES)
                .map_err(libvirt::error(what));
        }
        let mut command = Command::new("qemu-img");
        command
            .args(["resize", "-q", "-f", "qcow2"])
            .arg(&path)
            .arg(bytes.to_string());
        process::run(&mut command, LIMIT).map(drop)
    }

    /// The old file or the new one, whole, whenever the agent dies; what a later attempt finds does not matter.
    pub fn rebuild(&self, id: Uuid, image: &ExternalRef) -> Result<()> {
        let volume = self.volume(id)?;
        self.must_rest(id, "rebuilt")?;
        if let Some(snapshot) = self.snapshots(id)?.first() {
            // They are inside the file that is about to be replaced.
            let message = format!("disk {} has snapshot {}: delete it first", volume.name, snapshot.name);
            return Err(Error::conflict(message).code("disk_has_snapshots"));
        }
        let base = self.base(self.local("image", image)?)?;
        self.make(id, volume.size, Some(&base))
    }

    /// The file of a volume that `machine` may use.
    pub fn free_volume(&self, id: Uuid, machine: Uuid) -> Result<PathBuf> {
        let path = self.store.volume(id);
        if !path.exists() {
            return Err(Error::not_found("disk", self.reference(id)));
        }
        match self.attachments()?.get(&id) {
            Some(other) if *other != machine => {
                let message = format!("disk {id} is attached to server {other}: detach it there first");
                Err(Error::conflict(message).code("disk_attached"))
            }
            _ => Ok(path),
        }
    }

    /// `Conflict` while a running server has the volume.
    pub fn must_rest(&self, id: Uuid, verb: &str) -> Result<()> {
        match self.runner(id)? {
            Some(ours) => {
                let message = format!(
                    "disk {id} is in use by server {}: stop it before the disk is {verb}",
                    ours.read.mark.name
                );
                Err(Error::conflict(message).code("server_running"))
            }
            None => Ok(()),
        }
    }

    fn runner(&self, id: Uuid) -> Result<Option<Ours>> {
        let Some(machine) = self.attachments()?.get(&id).copied() else {
            return Ok(None);
        };
        let ours = self.domain(machine)?;
        Ok(active(&ours)?.then_some(ours))
    }

    /// The id of the volume at a path, when it is one of the pool.
    pub fn volume_at(&self, path: &str) -> Option<Uuid> {
        let path = Path::new(path);
        let id = Uuid::parse_str(path.file_stem()?.to_str()?).ok()?;
        (path == self.store.volume(id)).then_some(id)
    }

    /// Volume to server, for all of both, as they run and as they will start.
    fn attachments(&self) -> Result<HashMap<Uuid, Uuid>> {
        let mut found = HashMap::new();
        for ours in self.domains()? {
            // Only of a running one do the two descriptions differ; it has a number.
            let next = match ours.domain.id() {
                Some(_) => ours.domain.xml_desc(sys::VIR_DOMAIN_XML_INACTIVE).ok(),
                None => None,
            };
            let next = next.map(|text| domain::read(&text)).transpose()?.flatten();
            let next = next.into_iter().flat_map(|read| read.disks);
            for (_, path) in ours.read.disks.iter().cloned().chain(next) {
                found.extend(self.volume_at(&path).map(|volume| (volume, ours.id)));
            }
        }
        Ok(found)
    }

    /// A volume is there when its file is; a note alone is an attempt that did not get further.
    fn read_volume(&self, id: Uuid, attached: Option<Uuid>) -> Result<Option<Volume>> {
        let path = self.store.volume(id);
        if !path.exists() {
            return Ok(None);
        }
        let header = qcow2::header(&path)?;
        let note: Option<Note> = store::read_json(&self.store.volume_note(id))?;
        Ok(Some(Volume {
            id: self.reference(id),
            name: note.as_ref().map_or_else(|| id.to_string(), |note| note.name.clone()),
            token: note.map(|note| note.token),
            size: Size::bytes(header.size),
            host: Some(ExternalRef::new(self.id.as_str())),
            attached_to: attached.map(|machine| self.reference(machine)),
        }))
    }

    pub fn volume_ids(&self) -> Result<Vec<Uuid>> {
        let names = store::names(&self.store.pool())?;
        Ok(names
            .iter()
            .filter_map(|name| Uuid::parse_str(name.strip_suffix(".qcow2")?).ok())
            .collect())
    }

    fn check_room(&self, size: Size) -> Result<()> {
        let room = host::room(&self.store.pool())?;
        if size.as_bytes() > room.capacity || room.free < host::LEAST_FREE {
            let message = format!("the pool of host {} has no room for a disk of {size}", self.name);
            return Err(Error::new(Kind::Capacity, message).code("pool_full"));
        }
        Ok(())
    }
}
