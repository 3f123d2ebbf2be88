//! An image as the Image API shows it: flat, custom properties beside the core ones, times in whole seconds.

use serde_json::{Map, Value, json};
use types::Timestamp;

use crate::image;

/// Names a client may not use for properties of its own, because the service fills them.
pub const READ_ONLY: &[&str] = &[
    "status",
    "created_at",
    "updated_at",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "self",
    "file",
    "schema",
    "direct_url",
    "locations",
    "stores",
    "owner",
    "owner_id",
    "os_glance_import_error",
];

/// The core properties a client may set.
pub const CORE: &[&str] = &[
    "id",
    "name",
    "visibility",
    "min_disk",
    "min_ram",
    "protected",
    "os_hidden",
    "disk_format",
    "container_format",
    "tags",
];

/// `2026-11-21T08:45:41Z`.
pub fn time(at: Timestamp) -> String {
    let text = Timestamp::from_micros(at.as_seconds() * 1_000_000).to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

pub fn view(image: &image::Model) -> Value {
    let path = format!("/v2/images/{}", image.id);
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let data = image.has_data();
    let mut fields: Map<String, Value> = Map::new();
    for (key, value) in image.properties.iter() {
        fields.insert(key.clone(), json!(value));
    }
    let core = json!({
        "id": image.id,
        "name": text(&image.name),
        "status": image.status.as_str(),
        "visibility": image.visibility.as_str(),
        "owner": image.project_id,
        "disk_format": text(&image.disk_format),
        "container_format": text(&image.container_format),
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "protected": image.protected,
        "os_hidden": image.os_hidden,
        "size": data.then_some(image.size),
        "virtual_size": data.then_some(image.virtual_size),
        "checksum": text(&image.checksum),
        "os_hash_algo": data.then_some("sha512"),
        "os_hash_value": text(&image.digest),
        "tags": image.tags,
        "created_at": time(image.created_at),
        "updated_at": time(image.updated_at),
        "self": path,
        "file": format!("{path}/file"),
        "schema": "/v2/schemas/image",
    });
    if let Value::Object(core) = core {
        fields.extend(core);
    }
    if !image.fault.is_empty() {
        fields.insert("os_glance_import_error".to_owned(), json!(image.fault));
    }
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_whole_seconds() {
        let at: Timestamp = "2026-11-21T08:45:41.900012Z".parse().unwrap();
        assert_eq!(time(at), "2026-11-21T08:45:41Z");
    }
}
