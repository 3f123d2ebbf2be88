//! One image: show, delete, close and open its content, put tags on and off.

use auth::Cx;
use axum::{
    Json,
    extract::{Path, State as AxumState},
    http::StatusCode,
    response::IntoResponse,
};
use sea_orm::{EntityTrait, QueryFilter, entity::prelude::*};
use store::Tx;
use types::{Error, Result, Timestamp};
use web::Caller;

use crate::{
    App, State, blob, content,
    fault::Answer,
    fields, find,
    image::{self, Column, NOUN, Status},
    view,
};

pub async fn get(cx: Caller, AxumState(state): App, Path(id): Path<String>) -> Answer {
    let image = find::visible(&state, &cx, &id).await?;
    Ok(Json(view::view(&image)).into_response())
}

pub async fn delete(cx: Caller, AxumState(state): App, Path(id): Path<String>) -> Answer {
    find::owned(&state, &cx, "delete", &id).await?;
    let mut tx = state.store.begin().await?;
    let image = locked(&tx, &id).await?;
    if image.protected {
        let sentence = format!("image `{id}` is protected: unset its protection before you delete it");
        return Err(Error::denied(sentence).code("protected").on(NOUN, &id).into());
    }
    if let Some(blob) = &image.blob_id {
        blob::release(&tx, blob).await?;
    }
    tx.delete(image::Entity::delete_many().filter(Column::Id.eq(id.as_str())))
        .await?;
    let charged = [("images", 1), ("image_gib", image.charged_gib)];
    tx.refund(&image.project_id, &charged).await?;
    tx.event(&cx, image.event("deleted")).await?;
    tx.commit().await?;
    clear(&state, &image).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Removes what nobody refers to any more; a sweep does what fails here.
async fn clear(state: &State, image: &image::Model) {
    if let Some(blob) = &image.blob_id
        && let Err(error) = blob::remove(state, blob).await
    {
        tracing::warn!(error = error.chain(), image = %image.id, "content of a deleted image stays until it is swept");
    }
    if image.lease.is_empty() {
        content::discard(state, image).await;
    }
}

pub async fn deactivate(cx: Caller, AxumState(state): App, Path(id): Path<String>) -> Answer {
    turn(&cx, &state, &id, "deactivate", Status::Deactivated).await
}

pub async fn reactivate(cx: Caller, AxumState(state): App, Path(id): Path<String>) -> Answer {
    turn(&cx, &state, &id, "reactivate", Status::Active).await
}

async fn turn(cx: &Cx, state: &State, id: &str, verb: &str, to: Status) -> Answer {
    find::owned(state, cx, verb, id).await?;
    change(cx, state, id, to.as_str(), |image| {
        // Only content that is there is closed and opened; uploads become active by themselves.
        let fits = image.status == to || matches!(image.status, Status::Active | Status::Deactivated);
        if !fits {
            return Err(Error::denied(format!(
                "image `{id}` is {}: it has no content to {verb}",
                image.status
            )));
        }
        image.status = to;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn tag(cx: Caller, AxumState(state): App, Path((id, tag)): Path<(String, String)>) -> Answer {
    find::owned(&state, &cx, "update", &id).await?;
    let tag = fields::tag(&tag)?;
    change(&cx, &state, &id, "updated", |image| {
        if !image.tags.contains(&tag) {
            image.tags.push(tag);
        }
        fields::fits(&image.tags)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn untag(cx: Caller, AxumState(state): App, Path((id, tag)): Path<(String, String)>) -> Answer {
    find::owned(&state, &cx, "update", &id).await?;
    change(&cx, &state, &id, "updated", |image| {
        let before = image.tags.len();
        image.tags.retain(|have| *have != tag);
        if image.tags.len() == before {
            return Err(Error::not_found("image tag", &tag));
        }
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Reads the image under a lock, changes what clients may change, writes it back with an event.
pub async fn change(
    cx: &Cx,
    state: &State,
    id: &str,
    what: &str,
    edit: impl FnOnce(&mut image::Model) -> Result<()>,
) -> Result<image::Model> {
    let mut tx = state.store.begin().await?;
    let mut image = locked(&tx, id).await?;
    edit(&mut image)?;
    image.updated_at = Timestamp::now();
    let update = image::Entity::update_many()
        .col_expr(Column::Name, Expr::value(image.name.as_str()))
        .col_expr(Column::Status, Expr::value(image.status.as_str()))
        .col_expr(Column::Visibility, Expr::value(image.visibility.as_str()))
        .col_expr(Column::DiskFormat, Expr::value(image.disk_format.as_str()))
        .col_expr(Column::ContainerFormat, Expr::value(image.container_format.as_str()))
        .col_expr(Column::MinDisk, Expr::value(image.min_disk))
        .col_expr(Column::MinRam, Expr::value(image.min_ram))
        .col_expr(Column::Protected, Expr::value(image.protected))
        .col_expr(Column::OsHidden, Expr::value(image.os_hidden))
        .col_expr(Column::Tags, Expr::value(image.tags.clone()))
        .col_expr(Column::Properties, Expr::value(image.properties.clone()))
        .col_expr(Column::UpdatedAt, Expr::value(image.updated_at))
        .filter(Column::Id.eq(id));
    tx.update(update).await?;
    tx.event(cx, image.event(what)).await?;
    tx.commit().await?;
    Ok(image)
}

async fn locked(tx: &Tx, id: &str) -> Result<image::Model> {
    let image = tx
        .lock(image::Entity::find_by_id(id.parse::<types::ImageId>()?))
        .await?;
    image.ok_or_else(|| Error::not_found(NOUN, id))
}
