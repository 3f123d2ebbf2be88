//! `GET /leaks`: whether rows, claims, quota and addresses agree with each other and with what exists on the clouds.

mod clouds;
mod rows;

use auth::Cx;
use axum::{Json, Router, extract::State as Get, routing::get};
use serde::Serialize;
use types::{Error, Result, api::Items};
use web::{Caller, Problem, docs::Operation, query::Plain};

use crate::{Routes, State};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Leak {
    /// `cloud`, `rows`, `claims`, `quota` or `addresses`: the side that has too much or says something else.
    #[serde(rename = "where")]
    pub side: String,
    pub kind: String,
    pub id: String,
    pub name: String,
    pub why: String,
}

impl Leak {
    fn new(side: &str, kind: &str, id: impl ToString, name: &str, why: impl Into<String>) -> Self {
        Self {
            side: side.to_owned(),
            kind: kind.to_owned(),
            id: id.to_string(),
            name: name.to_owned(),
            why: why.into(),
        }
    }
}

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod;
    let about =
        "Every difference between the tables and what exists on hosts and clouds. What a task holds is left out.";
    let operation = Operation::new(HttpMethod::Get, "/leaks", "leak_list", "operations", about).lists::<Leak>();
    (Router::new().route("/leaks", get(list)), vec![operation])
}

async fn list(Get(state): Get<State>, Caller(cx): Caller, _: Plain) -> Result<Json<Items<Leak>>, Problem> {
    if cx.reach("host", "list") != auth::Reach::Everything {
        return Err(Error::denied("only an administrator compares the tables with the clouds").into());
    }
    let mut items = look(&state, &cx).await?;
    // One look takes a while, and what began or ended meanwhile is no difference: that shows only once.
    if !items.is_empty() {
        let again = look(&state, &cx).await?;
        items.retain(|leak| again.contains(leak));
    }
    Ok(Json(Items { items, next: None }))
}

async fn look(state: &State, cx: &Cx) -> Result<Vec<Leak>> {
    let mut leaks = rows::addresses(&state.store).await?;
    leaks.extend(rows::quota(&state.store).await?);
    leaks.extend(rows::claims(state, cx.request_id()).await?);
    leaks.extend(clouds::compare(state, cx).await?);
    Ok(leaks)
}
