//! The page at `/`: what this is, which version, what works. And the version for programs.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    response::{Html, IntoResponse, Response},
};
use futures::future::join_all;
use utoipa::ToSchema;
use web::health::Check;

use crate::Gateway;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A person waits for the page; what has not answered by then is shown as such.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(serde::Serialize, ToSchema)]
pub struct Version {
    name: &'static str,
    version: &'static str,
}

pub async fn version() -> Json<Version> {
    Json(Version {
        name: "isobar",
        version: VERSION,
    })
}

pub async fn page(State(gateway): State<Gateway>) -> Response {
    let results = join_all(gateway.checks.iter().map(try_out)).await;
    let good = results.iter().all(|(_, trouble)| trouble.is_none());
    let rows: String = results
        .iter()
        .map(|(name, trouble)| row(name, trouble.as_deref()))
        .collect();
    let (class, word) = match (good, results.is_empty()) {
        (_, true) => ("good", "Running"),
        (true, _) => ("good", "All services are ready"),
        (false, _) => ("bad", "Not everything is ready"),
    };
    let html = include_str!("status.html")
        .replace("{{version}}", VERSION)
        .replace("{{class}}", class)
        .replace("{{summary}}", word)
        .replace("{{services}}", &rows);
    ([("cache-control", "no-store")], Html(html)).into_response()
}

/// The name of a check and what is wrong, if anything. Causes stay in `/readyz`.
async fn try_out(check: &Check) -> (&'static str, Option<String>) {
    let trouble = match tokio::time::timeout(PATIENCE, (check.run)()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.message),
        Err(_) => Some("no answer within 2 s".to_owned()),
    };
    (check.name, trouble)
}

fn row(name: &str, trouble: Option<&str>) -> String {
    let (class, word) = match trouble {
        None => ("good", "ready"),
        Some(trouble) => ("bad", trouble),
    };
    format!(
        "<li><i class=\"{class}\"></i><b>{}</b><span>{}</span></li>\n",
        escape(name),
        escape(word)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
