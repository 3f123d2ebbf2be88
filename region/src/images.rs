//! Images as the region sees them: through glance, with the caller's rights checked here.

use auth::Cx;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use types::{Error, Result, Size};

use crate::State;

/// What a server needs to know of its image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    pub id: String,
    pub name: String,
    /// Lower-case hexadecimal SHA-512.
    pub digest: String,
    pub format: String,
    pub size: Size,
    /// What a disk made from it holds at least.
    pub virtual_size: Size,
    pub min_memory: Size,
}

/// An image in the OpenStack Image v2 shape; what is not used here is left out.
#[derive(Deserialize)]
struct Wire {
    id: String,
    name: Option<String>,
    status: String,
    visibility: String,
    owner: Option<String>,
    disk_format: Option<String>,
    size: Option<u64>,
    virtual_size: Option<u64>,
    os_hash_value: Option<String>,
    #[serde(default)]
    min_disk: u64,
    #[serde(default)]
    min_ram: u64,
}

#[derive(Deserialize)]
struct List {
    images: Vec<Wire>,
}

/// The image with this id or name that the caller may use. A name in the caller's own project wins.
pub async fn find(state: &State, cx: &Cx, key: &str) -> Result<Image> {
    let wire = match key.parse::<uuid::Uuid>() {
        Ok(_) => by_id(state, cx, key).await?,
        Err(_) => by_name(state, cx, key).await?,
    };
    if wire.status != "active" {
        let name = wire.name.unwrap_or(wire.id);
        return Err(Error::conflict(format!(
            "image `{name}` is {}: it cannot be used before it is active",
            wire.status
        ))
        .code("wrong_state"));
    }
    let format = wire.disk_format.unwrap_or_default();
    if format == "iso" {
        return Err(Error::unsupported(
            "servers cannot be made from ISO images yet: import a disk image",
        ));
    }
    let digest = wire
        .os_hash_value
        .ok_or_else(|| Error::broken(format!("image `{key}` is active and has no hash")))?;
    let size = Size::bytes(wire.size.unwrap_or_default());
    let floor = Size::bytes(
        wire.virtual_size
            .unwrap_or_default()
            .max(
                wire.size
                    .unwrap_or_default()
                    .min(if format == "raw" { u64::MAX } else { 0 }),
            ),
    );
    Ok(Image {
        name: wire.name.unwrap_or_else(|| wire.id.clone()),
        id: wire.id,
        digest,
        format,
        size,
        virtual_size: floor.max(Size::gib(i64::try_from(wire.min_disk).unwrap_or(0))),
        min_memory: Size::mib(i64::try_from(wire.min_ram).unwrap_or(0)),
    })
}

async fn by_id(state: &State, cx: &Cx, id: &str) -> Result<Wire> {
    let wire: Wire = state
        .glance
        .get(cx.request_id(), &format!("/v2/images/{id}"))
        .await
        .map_err(|e| hide(e, id))?;
    match usable(state, cx, &wire).await? {
        true => Ok(wire),
        false => Err(Error::not_found("image", id)),
    }
}

async fn by_name(state: &State, cx: &Cx, name: &str) -> Result<Wire> {
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("name", name)
        .append_pair("limit", "100")
        .finish();
    let list: List = state
        .glance
        .get(cx.request_id(), &format!("/v2/images?{query}"))
        .await
        .map_err(|e| hide(e, name))?;
    let own = cx.project().map(|(id, _)| id.to_string()).ok();
    let mut usable_ones = Vec::new();
    for wire in list.images {
        if usable(state, cx, &wire).await? {
            usable_ones.push(wire);
        }
    }
    if let Some(position) = usable_ones.iter().position(|wire| wire.owner == own) {
        let mine = usable_ones.iter().filter(|wire| wire.owner == own).count();
        if mine == 1 {
            return Ok(usable_ones.swap_remove(position));
        }
    }
    match usable_ones.len() {
        0 => Err(Error::not_found("image", name)),
        1 => Ok(usable_ones.swap_remove(0)),
        n => Err(Error::conflict(format!("{n} images are called `{name}`: use an id")).code("name_ambiguous")),
    }
}

/// Public, one's own, or shared with one's project.
async fn usable(state: &State, cx: &Cx, wire: &Wire) -> Result<bool> {
    let Ok((project, _)) = cx.project() else {
        return Ok(matches!(cx.reach("image", "get"), auth::Reach::Everything));
    };
    if matches!(wire.visibility.as_str(), "public" | "community") || wire.owner.as_deref() == Some(project.as_str()) {
        return Ok(true);
    }
    if wire.visibility != "shared" {
        return Ok(false);
    }
    let member: Result<serde_json::Value> = state
        .glance
        .get(cx.request_id(), &format!("/v2/images/{}/members/{project}", wire.id))
        .await;
    match member {
        Ok(member) => Ok(member["status"] == "accepted"),
        Err(error) if error.kind == types::Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn hide(error: Error, key: &str) -> Error {
    match error.kind {
        types::Kind::NotFound => Error::not_found("image", key),
        _ => error.wrap(format!("image `{key}` could not be looked up")),
    }
}

/// The image's content, for a host that has none of it yet.
pub async fn content(state: &State, request_id: &str, id: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
    state.glance.stream(request_id, &format!("/v2/images/{id}/file")).await
}
