//! `POST /v2/images`: the record of an image; its content comes later.

use auth::Cx;
use axum::{
    Json,
    extract::{OriginalUri, State as AxumState},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use serde_json::{Map, Value};
use types::{DomainId, Error, ImageId, ProjectId, Result, Timestamp};
use web::Caller;

use crate::{
    App,
    body::Body,
    fault::Answer,
    fields,
    image::{self, NOUN, Status, Visibility},
    import, origin, view,
};

pub async fn create(
    cx: Caller,
    AxumState(state): App,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Body<Map<String, Value>>,
) -> Answer {
    let image = draft(&cx, &body.0)?;
    let mut tx = state.store.begin().await?;
    tx.charge(&image.project_id, &[("images", 1)]).await?;
    let taken = |e: Error| match e.code.as_str() {
        "name_taken" => {
            Error::conflict(format!("there is an image with the id `{}` already", image.id)).code("id_taken")
        }
        _ => e,
    };
    let image = tx
        .insert(image.clone().into_active_model().reset_all())
        .await
        .map_err(taken)?;
    tx.event(&cx, image.event("created")).await?;
    tx.commit().await?;
    let location = origin::url(&state, &headers, &uri, &format!("/v2/images/{}", image.id));
    let headers = [
        (header::LOCATION.as_str(), location),
        ("openstack-image-import-methods", import::METHODS.join(",")),
        ("openstack-image-store-ids", crate::info::STORE.to_owned()),
    ];
    Ok((StatusCode::CREATED, headers, Json(view::view(&image))).into_response())
}

/// The image that was asked for, not stored yet.
fn draft(cx: &Cx, fields: &Map<String, Value>) -> Result<image::Model> {
    let (project, domain) = cx.project()?;
    if !cx.reach(NOUN, "create").covers(Some(project), Some(domain)) {
        return Err(Error::denied("you may not create images in this project"));
    }
    let mut image = empty(id(fields.get("id"))?, project, domain);
    for (key, value) in fields.iter().filter(|(key, _)| *key != "id") {
        match key.as_str() {
            "owner" if value.as_str() == Some(image.project_id.as_str()) => {}
            "owner" => {
                let sentence = "an image belongs to the project of the token: log in to that project";
                return Err(Error::denied(sentence));
            }
            key => fields::set(cx, &mut image, key, value)?,
        }
    }
    Ok(image)
}

/// A record without content.
pub fn empty(id: ImageId, project: &ProjectId, domain: &DomainId) -> image::Model {
    let now = Timestamp::now();
    image::Model {
        id,
        name: String::new(),
        status: Status::Queued,
        visibility: Visibility::Shared,
        project_id: project.clone(),
        domain_id: domain.clone(),
        disk_format: String::new(),
        container_format: String::new(),
        min_disk: 0,
        min_ram: 0,
        protected: false,
        os_hidden: false,
        size: 0,
        virtual_size: 0,
        checksum: String::new(),
        digest: String::new(),
        blob_id: None,
        charged_gib: 0,
        tags: Default::default(),
        properties: Default::default(),
        import_from: String::new(),
        fault: String::new(),
        lease: String::new(),
        lease_until: Timestamp::from_micros(0),
        created_at: now,
        updated_at: now,
    }
}

fn id(given: Option<&Value>) -> Result<ImageId> {
    let Some(given) = given else {
        return Ok(ImageId::from(uuid::Uuid::new_v4()));
    };
    let wrong = || Error::invalid(format!("an image's id is a UUID, not {given}"));
    let id = uuid::Uuid::parse_str(given.as_str().ok_or_else(wrong)?).map_err(|_| wrong())?;
    Ok(ImageId::from(id))
}
