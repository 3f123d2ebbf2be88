//! The page at `/`: what this is, which version, what works. And the version for programs.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::header,
    response::{Html, IntoResponse, Response},
};
use futures::future::join_all;
use types::Result;
use utoipa::ToSchema;

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
    let services = gateway
        .services
        .all()
        .map(|service| try_out(service.name, service.probe()));
    let checks = gateway.checks.iter().map(|check| try_out(check.name, (check.run)()));
    let (services, checks) = tokio::join!(join_all(services), join_all(checks));
    let results: Vec<_> = services.into_iter().chain(checks).collect();
    let good = results.iter().all(|(_, trouble)| trouble.is_none());
    let rows: String = results
        .iter()
        .map(|(name, trouble)| row(name, trouble.as_deref()))
        .collect();
    let (class, word) = if good {
        ("good", "Everything is ready")
    } else {
        ("bad", "Not everything is ready")
    };
    let html = include_str!("status.html")
        .replace("{{version}}", VERSION)
        .replace("{{class}}", class)
        .replace("{{summary}}", word)
        .replace("{{services}}", &rows);
    ([(header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
}

/// What is wrong, if anything. Causes stay in `/readyz`.
async fn try_out(name: &str, work: impl Future<Output = Result<()>>) -> (&str, Option<String>) {
    let trouble = match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.message),
        Err(_) => Some("no answer within 2 s".to_owned()),
    };
    (name, trouble)
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
