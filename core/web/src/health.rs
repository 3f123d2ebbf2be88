//! `/healthz` (the process answers) and `/readyz` (it can do its work, or says what is wrong).

use std::{sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use types::{Error, Kind, Result};

/// One thing that must work.
#[derive(Clone)]
pub struct Check {
    pub name: &'static str,
    pub run: Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>,
}

impl Check {
    pub fn new<F, R>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            name,
            run: Arc::new(move || Box::pin(run())),
        }
    }
}

/// A check that does not answer within this counts as failed.
const PATIENCE: Duration = Duration::from_secs(3);

pub fn routes(checks: Vec<Check>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(ready))
        .with_state(Arc::new(checks))
}

async fn ready(State(checks): State<Arc<Vec<Check>>>) -> (StatusCode, Json<Value>) {
    let results = join_all(checks.iter().map(|check| async move {
        let late = || Err(Error::new(Kind::Timeout, "no answer within 3 s"));
        let result = tokio::time::timeout(PATIENCE, (check.run)())
            .await
            .unwrap_or_else(|_| late());
        (check.name, result)
    }))
    .await;
    let good = results.iter().all(|(_, result)| result.is_ok());
    let checks: Vec<_> = results
        .into_iter()
        .map(|(name, result)| match result {
            Ok(()) => json!({ "name": name, "ok": true }),
            Err(error) => json!({ "name": name, "ok": false, "why": error.chain() }),
        })
        .collect();
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(json!({ "ready": good, "checks": checks })))
}
