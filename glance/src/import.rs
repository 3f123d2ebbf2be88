//! `POST /v2/images/{id}/import`: staged content becomes active, or content is fetched from a URL in the background.
//! The URL is in the row before anything is fetched, so that an import that lost its process is taken up by a sweep.

use auth::Cx;
use axum::{
    extract::{Path, State as AxumState},
    http::StatusCode,
    response::IntoResponse,
};
use sea_orm::entity::prelude::*;
use serde::Deserialize;
use types::{Error, Result};
use web::Caller;

use crate::{
    App, State,
    backend::dir::blocking,
    body::Body,
    content,
    fault::Answer,
    find,
    image::{self, Column, Status},
    lease, show,
    spool::{Spool, Start},
};

pub mod fetch;
pub mod guard;

pub const METHODS: [&str; 2] = ["glance-direct", "web-download"];

/// What clients also send (`stores`, `all_stores`) names our only store and changes nothing.
#[derive(Deserialize)]
pub struct Import {
    method: Method,
}

#[derive(Deserialize)]
struct Method {
    name: String,
    uri: Option<String>,
}

pub async fn import(cx: Caller, AxumState(state): App, Path(id): Path<String>, body: Body<Import>) -> Answer {
    let image = find::owned(&state, &cx, "import", &id).await?.into_inner();
    let method = body.0.method;
    match method.name.as_str() {
        "glance-direct" => activate(&cx, &state, &id).await?,
        "web-download" => {
            let uri = method
                .uri
                .ok_or_else(|| Error::invalid("an import by web-download needs a `uri`"))?;
            guard::check(&state.options, &uri).await?;
            begin(&cx, &state, image, &uri).await?;
        }
        name => {
            let methods = METHODS.join(", ");
            return Err(Error::invalid(format!("there is no import method `{name}`: use one of {methods}")).into());
        }
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Staged content was probed and stored when it came; only showing it is left.
async fn activate(cx: &Cx, state: &State, id: &str) -> Result<()> {
    let shown = show::change(cx, state, id, "active", |image| {
        if image.status != Status::Uploading {
            return Err(
                Error::conflict(format!("image `{id}` is {}: stage its content first", image.status))
                    .code("wrong_state"),
            );
        }
        image.status = image.status.to(Status::Active)?;
        Ok(())
    });
    shown.await.map(drop)
}

async fn begin(cx: &Cx, state: &State, image: image::Model, uri: &str) -> Result<()> {
    let image = lease::take(state, image, Status::Queued, Status::Importing).await?;
    let image = image::Model {
        import_from: uri.to_owned(),
        ..image
    };
    let mut tx = state.store.begin().await?;
    tx.update(lease::held(&image).col_expr(Column::ImportFrom, Expr::value(uri)))
        .await?;
    tx.event(cx, image.event("importing")).await?;
    tx.commit().await?;
    spawn(cx.clone(), state.clone(), image);
    Ok(())
}

/// Goes on with an import whose process died; the caller saw that its lease is over.
pub async fn resume(cx: &Cx, state: &State, image: image::Model) -> Result<()> {
    let image = lease::take(state, image, Status::Importing, Status::Importing).await?;
    if image.import_from.is_empty() {
        // It died between taking the lease and writing down the URL: nobody was told that it began.
        lease::give_back(state, &image).await;
        return Ok(());
    }
    spawn(cx.clone(), state.clone(), image);
    Ok(())
}

fn spawn(cx: Cx, state: State, image: image::Model) {
    tokio::spawn(async move {
        let work = lease::hold(&state, &image, run(&cx, &state, &image)).await;
        content::discard(&state, &image).await;
        if let Err(error) = work {
            tracing::info!(error = error.chain(), image = %image.id, "an import failed");
            if let Err(error) = fail(&cx, &state, &image, &error).await {
                tracing::warn!(error = error.chain(), image = %image.id, "a failed import is tried again by a sweep");
            }
        }
    });
}

async fn run(cx: &Cx, state: &State, image: &image::Model) -> Result<()> {
    let stream = fetch::open(&state.options, &image.import_from).await?;
    let (dir, id) = (state.spool.clone(), image.id.clone());
    let spool = blocking(move || Spool::open(&dir, &id, Start::Anew)).await?;
    let (spool, cut) = content::receive(state, spool, stream).await?;
    match cut {
        Some(why) => Err(why),
        None => content::settle(state, cx, image, spool, Status::Active).await,
    }
}

/// The image waits for content again and says why.
async fn fail(cx: &Cx, state: &State, image: &image::Model, error: &Error) -> Result<()> {
    let mut tx = state.store.begin().await?;
    let noted = lease::held(image)
        .col_expr(Column::Fault, Expr::value(error.chain()))
        .col_expr(Column::ImportFrom, Expr::value(""));
    if tx.update(noted).await? == 0 || !lease::end(&tx, image, Status::Queued).await? {
        return Ok(());
    }
    let mut event = image.event("failed");
    event.data = serde_json::json!({ "status": Status::Queued.as_str(), "error": error.message });
    tx.event(cx, event).await?;
    tx.commit().await
}
