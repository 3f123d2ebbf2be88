//! Images in glance's Image v2 format: described, filled, listed, fetched with their checksum checked.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use md5::{Digest, Md5};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use tokio::io::AsyncWriteExt;
use types::Kind;

use crate::{Client, Deadline, Error, Result, Service, call::segment};

const PAGE: usize = 200;

/// What describes an image before it has contents.
#[derive(Clone, Debug, Default)]
pub struct NewImage {
    pub name: String,
    /// `raw`, `qcow2`, ...; the service probes what really arrives.
    pub disk_format: String,
    /// `private`, `public`, `shared`, `community`.
    pub visibility: Option<String>,
    pub properties: Vec<(String, String)>,
}

/// All images that the caller may see.
pub struct Images(Client);

impl Client {
    pub fn images(&self) -> Images {
        Images(self.clone())
    }
}

fn text<'a>(image: &'a Value, key: &str) -> Option<&'a str> {
    image.get(key)?.as_str()
}

impl Images {
    /// Every image that matches, at most `limit`.
    pub async fn list(&self, filters: &[(String, String)], limit: Option<usize>) -> Result<Vec<Value>> {
        let mut images: Vec<Value> = Vec::new();
        loop {
            let wanted = limit.map_or(PAGE, |limit| (limit - images.len()).min(PAGE));
            let mut call = self.0.call(Method::GET, Service::Image, "images");
            call = call.query("limit", wanted.to_string());
            for (key, value) in filters {
                call = call.query(key, value);
            }
            if let Some(last) = images.last().and_then(|image| text(image, "id")) {
                call = call.query("marker", last);
            }
            let mut page: Value = call.receive().await?;
            let more = page.get("next").is_some_and(Value::is_string);
            let found = page.get_mut("images").map(Value::take);
            let before = images.len();
            images.extend(found.and_then(|found| found.as_array().cloned()).unwrap_or_default());
            if !more || images.len() == before || limit.is_some_and(|limit| images.len() >= limit) {
                return Ok(images);
            }
        }
    }

    /// The one with this name or id.
    pub async fn get(&self, key: &str) -> Result<Value> {
        let mut named = self.list(&[("name".to_owned(), key.to_owned())], None).await?;
        match named.len() {
            0 => self.by_id(key).await.map_err(|error| match error.kind {
                Kind::NotFound | Kind::Invalid => types::Error::not_found("image", key).into(),
                _ => error,
            }),
            1 => Ok(named.remove(0)),
            many => {
                let message = format!("{many} images are named `{key}`: use an id");
                Err(types::Error::conflict(message).code("ambiguous_name").into())
            }
        }
    }

    async fn by_id(&self, id: &str) -> Result<Value> {
        let path = format!("images/{}", segment(id));
        self.0.call(Method::GET, Service::Image, path).receive().await
    }

    async fn id(&self, key: &str) -> Result<String> {
        let image = self.get(key).await?;
        Ok(text(&image, "id").unwrap_or_default().to_owned())
    }

    /// Describes a new image; it is `queued` until contents arrive.
    pub async fn create(&self, wanted: &NewImage) -> Result<Value> {
        let mut body = json!({ "name": wanted.name, "disk_format": wanted.disk_format, "container_format": "bare" });
        if let Some(visibility) = &wanted.visibility {
            body["visibility"] = json!(visibility);
        }
        for (key, value) in &wanted.properties {
            body[key] = json!(value);
        }
        let call = self.0.call(Method::POST, Service::Image, "images");
        call.json(&body).receive().await
    }

    /// Sends the contents as they are read.
    pub async fn upload<S>(&self, id: &str, length: Option<u64>, contents: S) -> Result<()>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let path = format!("images/{}/file", segment(id));
        let mut call = self.0.call(Method::PUT, Service::Image, path);
        call = call.header("content-type", "application/octet-stream");
        if let Some(length) = length {
            call = call.header("content-length", length.to_string());
        }
        call.upload(Body::wrap_stream(contents)).await.map(drop)
    }

    /// Lets the service fetch the contents itself.
    pub async fn import(&self, id: &str, url: &str) -> Result<()> {
        let body = json!({ "method": { "name": "web-download", "uri": url } });
        let call = self
            .0
            .call(Method::POST, Service::Image, format!("images/{}/import", segment(id)));
        call.json(&body).send().await.map(drop)
    }

    /// Waits until an image can be used.
    pub async fn wait_active(
        &self,
        id: &str,
        deadline: Deadline,
        mut on_progress: impl FnMut(&Value),
    ) -> Result<Value> {
        let mut pause = Duration::from_millis(100);
        loop {
            let image = self.by_id(id).await?;
            on_progress(&image);
            let failed = text(&image, "os_glance_failed_import").is_some_and(|list| !list.is_empty());
            match text(&image, "status").unwrap_or_default() {
                "active" => return Ok(image),
                "killed" | "deleted" | "pending_delete" | "deactivated" => return Err(unusable(&image)),
                _ if failed => return Err(unusable(&image)),
                _ => {}
            }
            let Some(left) = deadline.left() else {
                let message = format!(
                    "image {id} was not active after {:?}; the service goes on",
                    deadline.given()
                );
                return Err(Error::new(Kind::Timeout, message));
            };
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        let path = format!("images/{}", segment(&self.id(key).await?));
        self.0.call(Method::DELETE, Service::Image, path).send().await.map(drop)
    }

    /// Fetches the contents into a file, which appears only when they are complete and their checksum is right.
    pub async fn save(&self, key: &str, to: &Path, mut on_progress: impl FnMut(u64, Option<u64>)) -> Result<u64> {
        let image = self.get(key).await?;
        let total = image.get("size").and_then(Value::as_u64);
        let path = format!("images/{}/file", segment(text(&image, "id").unwrap_or_default()));
        let response = self.0.call(Method::GET, Service::Image, path).open().await?;
        let mut part = to.as_os_str().to_owned();
        part.push(".part");
        let part = Path::new(&part);
        let unwritable =
            |e: io::Error| Error::new(Kind::Broken, format!("`{}` cannot be written", part.display())).because(e);
        let mut file = tokio::fs::File::create(part).await.map_err(unwritable)?;
        let (mut hash, mut done) = (Hash::of(&image), 0);
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let broken =
                |e: reqwest::Error| types::Error::unavailable("the download broke off").because(e.without_url());
            let piece = piece.map_err(broken)?;
            hash.update(&piece);
            file.write_all(&piece).await.map_err(unwritable)?;
            done += piece.len() as u64;
            on_progress(done, total);
        }
        file.flush().await.map_err(unwritable)?;
        hash.check(&image)?;
        tokio::fs::rename(part, to).await.map_err(unwritable)?;
        Ok(done)
    }
}

fn unusable(image: &Value) -> Error {
    let (name, status) = (text(image, "name").unwrap_or("?"), text(image, "status").unwrap_or("?"));
    let mut error = types::Error::invalid(format!("image `{name}` cannot be used: it is {status}"));
    let reasons = ["message", "os_glance_import_error", "os_glance_failed_import"];
    error.causes = reasons
        .iter()
        .filter_map(|key| text(image, key))
        .map(str::to_owned)
        .collect();
    error.code("image_failed").into()
}

/// The digest that the service promised, taken while the bytes pass.
enum Hash {
    Sha512(Sha512),
    Sha256(Sha256),
    Md5(Md5),
    None,
}

impl Hash {
    fn of(image: &Value) -> Self {
        match text(image, "os_hash_algo") {
            Some("sha512") => Self::Sha512(Sha512::new()),
            Some("sha256") => Self::Sha256(Sha256::new()),
            _ if text(image, "checksum").is_some() => Self::Md5(Md5::new()),
            _ => Self::None,
        }
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Sha512(hash) => hash.update(piece),
            Self::Sha256(hash) => hash.update(piece),
            Self::Md5(hash) => hash.update(piece),
            Self::None => {}
        }
    }

    fn check(self, image: &Value) -> Result<()> {
        let (found, promised) = match self {
            Self::Sha512(hash) => (hex::encode(hash.finalize()), text(image, "os_hash_value")),
            Self::Sha256(hash) => (hex::encode(hash.finalize()), text(image, "os_hash_value")),
            Self::Md5(hash) => (hex::encode(hash.finalize()), text(image, "checksum")),
            Self::None => return Ok(()),
        };
        if promised == Some(found.as_str()) {
            return Ok(());
        }
        let message = "what arrived is not the image: its checksum differs, so it was left as a `.part` file";
        Err(types::Error::broken(message).code("checksum_mismatch").into())
    }
}
