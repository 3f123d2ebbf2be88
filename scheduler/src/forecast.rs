//! `POST /forecast`: how many more of a request would fit, and where.

use axum::{Json, extract::State as Shared};
use engine::{Forecast, Request};
use utoipa::openapi::HttpMethod;
use web::{Caller, Input, Problem, docs::Operation};

use crate::{State, caller, networks};

pub async fn forecast(
    Shared(state): Shared<State>,
    Caller(cx): Caller,
    Input(request): Input<Request>,
) -> Result<Json<Forecast>, Problem> {
    caller::allowed(&cx, "list")?;
    let (request, _) = networks::settle(&state.store, request).await?;
    let mut inventory = state.inventory.lock().await;
    inventory.refresh().await?;
    Ok(Json(engine::forecast(inventory.snapshot(), &request)))
}

pub fn operation() -> Operation {
    let about = "Says how many more of a request would fit, and where.";
    Operation::new(HttpMethod::Post, "/forecast", "forecast", "forecast", about)
        .takes::<Request>()
        .answers::<Forecast>("200", "room in all and by host")
}
