//! What a create refers to, looked up and checked before anything is written.

use auth::Cx;
use serde_json::json;
use store::Store;
use types::{AccountId, Error, HostId, Result, Size, ZoneId, api::server as api};

use crate::{
    State, account, flavor, host,
    images::{self, Image},
    keypair, network,
    place::zone,
};

/// A create with everything it refers to.
pub struct Ready {
    pub input: api::Create,
    pub names: Vec<String>,
    pub image: Image,
    pub flavor: flavor::Model,
    pub networks: Vec<network::Model>,
    pub keypair: Option<keypair::Model>,
    pub root: Size,
    /// What one server asks of the scheduler.
    pub ask: serde_json::Value,
}

/// The most that one request creates.
pub const MOST: u32 = 500;

pub async fn fetch(state: &State, cx: &Cx, input: api::Create) -> Result<Ready> {
    let names = names(&input)?;
    types::api::check_tags(&input.tags)?;
    if input.user_data.as_ref().is_some_and(|data| data.len() > 65_536) {
        return Err(Error::invalid("user_data is longer than 64 KiB"));
    }
    let store = &state.store;
    let image = images::find(state, cx, &input.image).await?;
    let flavor = store
        .find::<flavor::Entity>(cx, "get", &input.flavor)
        .await?
        .into_inner();
    let networks = networks(store, cx, &input.networks).await?;
    let keypair = match &input.keypair {
        Some(key) => Some(store.find::<keypair::Entity>(cx, "get", key).await?.into_inner()),
        None => None,
    };
    let root = root_size(&input, &flavor, &image)?;
    let wanted = Wanted {
        account: optional::<account::Entity, _>(store, cx, input.account.as_deref(), |row| row.id).await?,
        zone: optional::<zone::Entity, _>(store, cx, input.zone.as_deref(), |row| row.id).await?,
        host: optional::<host::Entity, _>(store, cx, input.host.as_deref(), |row| row.id).await?,
    };
    let mut ask = wanted.ask(cx, &input, &flavor, root, &image);
    ask["networks"] = json!(networks.iter().map(|network| network.id).collect::<Vec<_>>());
    Ok(Ready {
        names,
        image,
        flavor,
        networks,
        keypair,
        root,
        ask,
        input,
    })
}

fn names(input: &api::Create) -> Result<Vec<String>> {
    types::api::check_name("server", &input.name)?;
    match input.count {
        0 => Err(Error::invalid("count is 0; it must be from 1 to 500")),
        1 => Ok(vec![input.name.clone()]),
        n if n > MOST => Err(Error::invalid(format!("count is {n}; it must be from 1 to {MOST}"))),
        n => {
            let names: Vec<_> = (1..=n).map(|i| format!("{}-{i}", input.name)).collect();
            names
                .last()
                .map_or(Ok(()), |name| types::api::check_name("server", name))?;
            Ok(names)
        }
    }
}

async fn networks(store: &Store, cx: &Cx, keys: &[String]) -> Result<Vec<network::Model>> {
    if keys.is_empty() || keys.len() > 8 {
        return Err(Error::invalid(format!(
            "a server has 1 to 8 networks, not {}",
            keys.len()
        )));
    }
    let mut found = Vec::new();
    for key in keys {
        found.push(store.find::<network::Entity>(cx, "get", key).await?.into_inner());
    }
    Ok(found)
}

async fn optional<E: store::Row, T>(
    store: &Store,
    cx: &Cx,
    key: Option<&str>,
    pick: impl Fn(E::Model) -> T,
) -> Result<Option<T>> {
    match key {
        Some(key) => store
            .find::<E>(cx, "get", key)
            .await
            .map(|found| Some(pick(found.into_inner()))),
        None => Ok(None),
    }
}

fn root_size(input: &api::Create, flavor: &flavor::Model, image: &Image) -> Result<Size> {
    let root = input.root_disk.unwrap_or(flavor.disk).max(flavor.disk);
    if image.virtual_size > root {
        let message = format!(
            "image `{}` needs a disk of {}; flavor `{}` has {root}",
            image.name, image.virtual_size, flavor.name
        );
        return Err(Error::invalid(message).code("disk_too_small"));
    }
    if image.min_memory > flavor.memory {
        let message = format!(
            "image `{}` needs {} of memory; flavor `{}` has {}",
            image.name, image.min_memory, flavor.name, flavor.memory
        );
        return Err(Error::invalid(message).code("memory_too_small"));
    }
    Ok(root)
}

struct Wanted {
    account: Option<AccountId>,
    zone: Option<ZoneId>,
    host: Option<HostId>,
}

impl Wanted {
    /// The scheduler's request for one server.
    fn ask(
        &self,
        cx: &Cx,
        input: &api::Create,
        flavor: &flavor::Model,
        root: Size,
        image: &Image,
    ) -> serde_json::Value {
        // A group is a project's own: two projects may use one word for different things.
        let project = cx.project().map(|(id, _)| id.to_string()).unwrap_or_default();
        let groups: Vec<_> = input
            .apart_from
            .iter()
            .map(|group| json!({ "name": format!("{project}/{group}"), "rule": "apart" }))
            .collect();
        json!({
            "vcpus": flavor.vcpus,
            "memory": flavor.memory,
            "disks": [{ "size": root }],
            "account": self.account,
            "zone": self.zone,
            "host": self.host,
            "tags": input.host_tags,
            "groups": groups,
            "image": image.digest,
        })
    }
}
