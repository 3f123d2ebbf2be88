//! Projects an image is shared with. The owner offers, the member accepts or rejects.

use axum::{
    Json,
    extract::{Path, State as AxumState},
    http::StatusCode,
    response::IntoResponse,
};
use sea_orm::{ActiveValue::Set, QueryFilter, QueryOrder, entity::prelude::*};
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Error, ImageId, ProjectId, Result, Timestamp};
use web::Caller;

use crate::{
    App, State,
    body::Body,
    fault::Answer,
    find,
    image::{self, NOUN, Visibility},
    view,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "image_member")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub image_id: ImageId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub member_id: ProjectId,
    pub status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

const STATES: &[&str] = &["pending", "accepted", "rejected"];
/// More than any image is shared with by hand.
const MOST: u64 = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    member: ProjectId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    status: String,
}

pub async fn list(cx: Caller, AxumState(state): App, Path(id): Path<String>) -> Answer {
    let image = find::visible(&state, &cx, &id).await?;
    let all = Entity::find()
        .filter(Column::ImageId.eq(id.as_str()))
        .order_by_asc(Column::MemberId);
    let mut members = state.store.all(all).await?;
    if !owns(&cx, &image) {
        members.retain(|member| is(&cx, &member.member_id));
    }
    let members: Vec<Value> = members.iter().map(show).collect();
    Ok(Json(json!({ "members": members, "schema": "/v2/schemas/members" })).into_response())
}

pub async fn get(cx: Caller, AxumState(state): App, Path((id, member)): Path<(String, String)>) -> Answer {
    let image = find::visible(&state, &cx, &id).await?;
    let row = one(&state, &id, &member).await?;
    if !owns(&cx, &image) && !is(&cx, &row.member_id) {
        return Err(Error::not_found("image member", &member).into());
    }
    Ok(Json(show(&row)).into_response())
}

pub async fn create(cx: Caller, AxumState(state): App, Path(id): Path<String>, body: Body<Offer>) -> Answer {
    let image = find::owned(&state, &cx, "share", &id).await?;
    if image.visibility != Visibility::Shared {
        return Err(Error::denied(format!(
            "image `{id}` is {}: only images of visibility shared have members",
            image.visibility
        ))
        .on(NOUN, &id)
        .into());
    }
    let held = state
        .store
        .count(Entity::find().filter(Column::ImageId.eq(id.as_str())))
        .await?;
    if held >= MOST {
        return Err(Error::new(
            types::Kind::Quota,
            format!("image `{id}` has {MOST} members, which is the most"),
        )
        .into());
    }
    let now = Timestamp::now();
    let mut tx = state.store.begin().await?;
    let row = tx
        .insert(ActiveModel {
            image_id: Set(image.id.clone()),
            member_id: Set(body.0.member),
            status: Set("pending".to_owned()),
            created_at: Set(now),
            updated_at: Set(now),
        })
        .await?;
    tx.event(&cx, image.event("shared")).await?;
    tx.commit().await?;
    Ok(Json(show(&row)).into_response())
}

pub async fn update(
    cx: Caller,
    AxumState(state): App,
    Path((id, member)): Path<(String, String)>,
    body: Body<Reply>,
) -> Answer {
    let status = body.0.status;
    if !STATES.contains(&status.as_str()) {
        return Err(Error::invalid(format!("`{status}` is not one of {}", STATES.join(", "))).into());
    }
    let image = find::visible(&state, &cx, &id).await?;
    let row = one(&state, &id, &member).await?;
    let everywhere = cx.reach(NOUN, "share") == auth::Reach::Everything;
    if !everywhere && (cx.reach(NOUN, "share").is_nothing() || !is(&cx, &row.member_id)) {
        return Err(Error::denied("only the project an image is shared with accepts or rejects it").into());
    }
    let now = Timestamp::now();
    let mut tx = state.store.begin().await?;
    tx.update(
        Entity::update_many()
            .col_expr(Column::Status, Expr::value(status.as_str()))
            .col_expr(Column::UpdatedAt, Expr::value(now))
            .filter(Column::ImageId.eq(id.as_str()))
            .filter(Column::MemberId.eq(member.as_str())),
    )
    .await?;
    tx.event(&cx, image.event(&status)).await?;
    tx.commit().await?;
    let row = Model {
        status,
        updated_at: now,
        ..row
    };
    Ok(Json(show(&row)).into_response())
}

pub async fn delete(cx: Caller, AxumState(state): App, Path((id, member)): Path<(String, String)>) -> Answer {
    let image = find::owned(&state, &cx, "share", &id).await?;
    one(&state, &id, &member).await?;
    let mut tx = state.store.begin().await?;
    tx.delete(
        Entity::delete_many()
            .filter(Column::ImageId.eq(id.as_str()))
            .filter(Column::MemberId.eq(member.as_str())),
    )
    .await?;
    tx.event(&cx, image.event("unshared")).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn one(state: &State, image: &str, member: &str) -> Result<Model> {
    let select = Entity::find()
        .filter(Column::ImageId.eq(image))
        .filter(Column::MemberId.eq(member));
    let row = state.store.one(select).await?;
    row.ok_or_else(|| Error::not_found("image member", member))
}

fn owns(cx: &auth::Cx, image: &image::Model) -> bool {
    cx.reach(NOUN, "get")
        .covers(Some(&image.project_id), Some(&image.domain_id))
}

fn is(cx: &auth::Cx, project: &ProjectId) -> bool {
    cx.project().is_ok_and(|(own, _)| own == project)
}

fn show(member: &Model) -> Value {
    json!({
        "image_id": member.image_id,
        "member_id": member.member_id,
        "status": member.status,
        "created_at": view::time(member.created_at),
        "updated_at": view::time(member.updated_at),
        "schema": "/v2/schemas/member",
    })
}
