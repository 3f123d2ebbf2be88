//! `GET /drivers`: the kinds of cloud this build knows, and what each wants to be told.

use axum::{Json, Router, extract::State as Get, routing::get};
use types::api::{Items, account::Driver};
use web::{Caller, Problem, docs::Operation, query::Plain};

use crate::{Routes, State};

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod;
    let about = "The kinds of cloud that can be added, with the options each takes.";
    let operation =
        Operation::new(HttpMethod::Get, "/drivers", "driver_list", "cloud-account", about).lists::<Driver>();
    (Router::new().route("/drivers", get(list)), vec![operation])
}

async fn list(Get(state): Get<State>, Caller(cx): Caller, _: Plain) -> Result<Json<Items<Driver>>, Problem> {
    web::noun::allowed::<crate::account::Entity>(&cx, "list")?;
    let items = state
        .clouds
        .drivers()
        .drivers()
        .map(|driver| Driver {
            kind: driver.kind().to_owned(),
            about: driver.about().to_owned(),
            options: driver.credential_schema(),
        })
        .collect();
    Ok(Json(Items { items, next: None }))
}
