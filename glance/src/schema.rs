//! JSON schemas of what we answer, for clients that read them before they write.

use axum::{Json, extract::Path, response::IntoResponse};
use serde_json::{Value, json};
use types::Error;
use web::Caller;

use crate::{
    fault::Answer,
    image::{Status, Visibility},
    probe::FORMATS,
    view::READ_ONLY,
};

pub async fn get(_: Caller, Path(name): Path<String>) -> Answer {
    let schema = match name.as_str() {
        "image" => image(),
        "images" => list("images", image()),
        "member" => member(),
        "members" => list("members", member()),
        _ => return Err(Error::not_found("schema", &name).into()),
    };
    Ok(Json(schema).into_response())
}

fn properties() -> Value {
    let mut formats = vec![Value::Null];
    formats.extend(FORMATS.iter().map(|(name, _)| json!(name)));
    let text = |about: &str| json!({ "type": ["null", "string"], "maxLength": 255, "description": about });
    let number = |about: &str| json!({ "type": ["null", "integer"], "description": about });
    let statuses: Vec<_> = Status::ALL.iter().map(|word| word.as_str()).collect();
    let visibilities: Vec<_> = Visibility::ALL.iter().map(|word| word.as_str()).collect();
    let mut properties = json!({
        "id": { "type": "string", "format": "uuid", "description": "Chosen by the client or made here" },
        "name": text("What people call it"),
        "status": { "type": "string", "enum": statuses },
        "visibility": { "type": "string", "enum": visibilities },
        "protected": { "type": "boolean", "description": "Cannot be deleted while it is true" },
        "os_hidden": { "type": "boolean", "description": "Left out of lists" },
        "owner": text("The project it belongs to"),
        "disk_format": { "type": ["null", "string"], "enum": formats },
        "container_format": { "type": ["null", "string"], "enum": [null, "bare"] },
        "min_disk": { "type": "integer", "description": "GiB of root disk a server needs" },
        "min_ram": { "type": "integer", "description": "MiB of memory a server needs" },
        "size": number("Bytes of the file"),
        "virtual_size": number("Bytes the guest sees"),
        "checksum": text("MD5 of the file"),
        "os_hash_algo": text("Always sha512"),
        "os_hash_value": { "type": ["null", "string"], "maxLength": 128, "description": "SHA-512 of the file" },
        "tags": { "type": "array", "items": { "type": "string", "maxLength": 255 } },
        "created_at": { "type": "string" },
        "updated_at": { "type": "string" },
        "self": { "type": "string" },
        "file": { "type": "string" },
        "schema": { "type": "string" },
    });
    for name in READ_ONLY {
        if let Some(field) = properties.get_mut(name) {
            field["readOnly"] = Value::Bool(true);
        }
    }
    properties
}

fn image() -> Value {
    json!({
        "name": "image",
        "properties": properties(),
        "additionalProperties": { "type": "string" },
        "links": [
            { "rel": "self", "href": "{self}" },
            { "rel": "enclosure", "href": "{file}" },
            { "rel": "describedby", "href": "{schema}" },
        ],
    })
}

fn member() -> Value {
    json!({
        "name": "member",
        "properties": {
            "image_id": { "type": "string" },
            "member_id": { "type": "string" },
            "status": { "type": "string", "enum": ["pending", "accepted", "rejected"] },
            "created_at": { "type": "string" },
            "updated_at": { "type": "string" },
            "schema": { "type": "string" },
        },
    })
}

fn list(name: &str, item: Value) -> Value {
    json!({
        "name": name,
        "properties": {
            name: { "type": "array", "items": item },
            "schema": { "type": "string" },
            "first": { "type": "string" },
            "next": { "type": "string" },
        },
        "links": [
            { "rel": "first", "href": "{first}" },
            { "rel": "next", "href": "{next}" },
            { "rel": "describedby", "href": "{schema}" },
        ],
    })
}
