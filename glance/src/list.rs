//! `GET /v2/images`: what the caller sees, filtered, sorted, one page at a time after a marker.

use auth::Cx;
use axum::{
    Json,
    extract::{Query, State as AxumState},
    response::IntoResponse,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Value, json};
use types::{Error, Result};
use web::Caller;

use crate::{
    App, State,
    fault::Answer,
    find,
    image::{self, Column, NOUN, Visibility},
    view,
};

mod filter;
mod sort;

use filter::Filters;
use sort::Sort;

const USUAL: u64 = 25;
const MOST: u64 = 1000;

pub async fn list(cx: Caller, AxumState(state): App, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    let page = Asked::read(&pairs)?;
    let scope = scope(&cx, &page)?;
    let mut select = image::Entity::find()
        .filter(scope)
        .filter(page.filters.condition(&state)?);
    if let Some(marker) = &page.marker {
        let row = marker_row(&state, &cx, marker).await?;
        select = select.filter(page.sort.after(&row));
    }
    // One more than asked tells whether there is another page.
    let mut images = state.store.all(page.sort.order(select).limit(page.limit + 1)).await?;
    let more = images.len() as u64 > page.limit;
    images.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    let mut answer = json!({
        "images": images.iter().map(view::view).collect::<Vec<_>>(),
        "first": link(&pairs, None),
        "schema": "/v2/schemas/images",
    });
    if let (true, Some(last)) = (more, images.last()) {
        answer["next"] = Value::String(link(&pairs, Some(last.id.as_str())));
    }
    Ok(Json(answer).into_response())
}

/// A list request, read.
struct Asked {
    filters: Filters,
    sort: Sort,
    limit: u64,
    marker: Option<String>,
    visibility: Option<String>,
    member_status: String,
}

impl Asked {
    fn read(pairs: &[(String, String)]) -> Result<Self> {
        let mut asked = Self {
            filters: Filters::default(),
            sort: Sort::read(pairs)?,
            limit: USUAL,
            marker: None,
            visibility: None,
            member_status: "accepted".to_owned(),
        };
        for (key, value) in pairs {
            match key.as_str() {
                "limit" => asked.limit = limit(value)?,
                "marker" => asked.marker = Some(value.clone()),
                "sort" | "sort_key" | "sort_dir" => {}
                "visibility" => asked.visibility = Some(value.clone()),
                "member_status" => asked.member_status = member_status(value)?,
                _ => asked.filters.add(key, value)?,
            }
        }
        Ok(asked)
    }
}

fn limit(text: &str) -> Result<u64> {
    let limit: u64 = text
        .parse()
        .map_err(|_| Error::invalid(format!("limit is `{text}`; it must be a whole number")))?;
    // Glance's clients ask for more and expect as much as there is.
    Ok(limit.clamp(1, MOST))
}

fn member_status(text: &str) -> Result<String> {
    match text {
        "accepted" | "pending" | "rejected" | "all" => Ok(text.to_owned()),
        _ => Err(Error::invalid(format!(
            "`{text}` is not one of accepted, pending, rejected, all"
        ))),
    }
}

/// The rows to choose from: the caller's own, public ones, and those shared and accepted.
/// Community images show only when they, or all, are asked for.
fn scope(cx: &Cx, asked: &Asked) -> Result<Condition> {
    let reach = cx.reach(NOUN, "list");
    if reach.is_nothing() {
        return Err(Error::denied("you may not list images"));
    }
    let open = |visibility: Visibility| Column::Visibility.eq(visibility.as_str());
    let mut seen = find::own(&reach).add(open(Visibility::Public));
    if let Ok((project, _)) = cx.project() {
        let states: &[&str] = match asked.member_status.as_str() {
            "all" => &[],
            status => &[status],
        };
        seen = seen.add(find::shared_with(project, states));
    }
    let wanted = match asked.visibility.as_deref() {
        None => return Ok(Condition::all().add(seen)),
        Some("all") => return Ok(Condition::all().add(seen.add(open(Visibility::Community)))),
        Some(text) => text.parse::<Visibility>()?,
    };
    if wanted == Visibility::Community {
        seen = seen.add(open(Visibility::Community));
    }
    Ok(Condition::all().add(seen).add(open(wanted)))
}

async fn marker_row(state: &State, cx: &Cx, marker: &str) -> Result<image::Model> {
    let row = find::visible(state, cx, marker).await;
    row.map_err(|_| Error::invalid(format!("marker `{marker}` is not an image that you can see")))
}

/// The path of a page with the same question.
fn link(pairs: &[(String, String)], marker: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(key, _)| key != "marker"));
    if let Some(marker) = marker {
        query.append_pair("marker", marker);
    }
    match query.finish() {
        query if query.is_empty() => "/v2/images".to_owned(),
        query => format!("/v2/images?{query}"),
    }
}
