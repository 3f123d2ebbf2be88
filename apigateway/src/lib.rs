//! apigateway: the one origin. It knows who is at the other end, keeps browsers' sessions and sends every request to the
//! service it is for; what a service answers is the service's business.
//!
//! ```text
//! front (request id, headers, panics) -> rate -> session (cookie -> token) -> own routes, or forward -> upstream
//! ```

mod forward;
mod front;
mod options;
mod rate;
mod session;
mod status;
mod upstream;

mod client;
mod problem;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::HttpMethod;
use web::docs::Operation;

pub use options::{Limits, Options, Pace, Rate, Upstream};

/// What the handlers share.
struct Inner {
    services: forward::Services,
    checks: Vec<web::health::Check>,
    limits: Limits,
    rate: rate::Limiters,
    reached: client::Reached,
}

type Gateway = Arc<Inner>;

/// The largest body our own routes read.
const OWN_BODY: usize = 64 * 1024;

/// Everything under one origin. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: without it all
/// clients count as one.
pub fn app(options: Options) -> Router {
    let gateway = Arc::new(Inner {
        services: forward::Services::new(&options),
        checks: options.checks.clone(),
        limits: options.limits,
        rate: rate::Limiters::new(&options.rate),
        reached: client::Reached::new(&options),
    });
    let front = ServiceBuilder::new()
        .layer(from_fn_with_state(gateway.clone(), front::identify))
        .layer(from_fn(front::headers))
        .layer(CatchPanicLayer::custom(front::panicked))
        .layer(from_fn_with_state(gateway.clone(), rate::hold))
        .layer(from_fn(session::guard));
    Router::new()
        .route("/", get(status::page))
        .route("/version", get(status::version))
        .merge(session::routes())
        .merge(web::docs::routes(options.documents).with_state(()))
        .merge(web::health::routes(options.checks).with_state(()))
        .merge(web::observe::routes().with_state(()))
        .layer(DefaultBodyLimit::max(OWN_BODY))
        .route_layer(from_fn(web::observe::record))
        .method_not_allowed_fallback(problem::no_such_method)
        .fallback(forward::forward)
        .layer(front)
        .with_state(gateway)
}

/// What the OpenAPI document says about the routes that are the gateway's own.
pub fn operations() -> Vec<Operation> {
    let about = |path, id, summary| Operation::new(HttpMethod::Get, path, id, "gateway", summary).open();
    let mut operations = session::operations();
    operations.extend([
        about("/version", "version_get", "Says which version this is.")
            .answers::<status::Version>("200", "the version"),
        about("/healthz", "health_get", "Answers when the process is alive.").empty("200", "alive"),
        about(
            "/readyz",
            "ready_get",
            "Says whether everything behind works, and what does not.",
        )
        .empty("200", "ready")
        .empty("503", "not ready; the body says why"),
        about("/metrics", "metrics_get", "Measurements in Prometheus text format.").empty("200", "the measurements"),
    ]);
    operations
}
