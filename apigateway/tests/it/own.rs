//! The gateway's own routes: status, documents, health, version, and what every answer carries.

use apigateway::{Options, Upstream, app, operations};
use axum::{Router, body::Body, http::StatusCode, response::Html, routing::get};
use types::Error;
use web::{docs::document, health::Check};

use crate::kit::{Answer, PLACES, Place, ask, echoes, upstream};

async fn options() -> Options {
    let gateway = document("Isobar gateway", "Own routes.", operations());
    let region = document("Isobar region", "Others.", Vec::new());
    Options {
        documents: vec![("region", region), ("gateway", gateway)],
        ..echoes(Place::Here).await
    }
}

async fn show(app: &Router, path: &str) -> Answer {
    ask(app, &format!("GET {path}"), &[], Body::empty()).await
}

#[tokio::test]
async fn the_status_page_says_what_works() {
    let good = Check::new("database", || async { Ok(()) });
    let bad = Check::new("storage", || async { Err(Error::unavailable("no <b>disk</b>")) });
    let whole = app(Options {
        checks: vec![good.clone()],
        ..options().await
    });
    let page = show(&whole, "/").await;
    assert!(page.header("content-type").starts_with("text/html"));
    for part in [
        "Everything is ready",
        "database",
        "region",
        "href=\"/docs\"",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(page.text.contains(part), "no {part} in {}", page.text);
    }
    assert!(!page.text.contains("{{"));
    let broken = app(Options {
        checks: vec![good, bad],
        ..options().await
    });
    let page = show(&broken, "/").await;
    assert!(page.text.contains("Not everything is ready") && page.text.contains("no &lt;b&gt;disk&lt;/b&gt;"));
    let ready = show(&broken, "/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["ready"]),
        (StatusCode::SERVICE_UNAVAILABLE, &false.into())
    );
    assert_eq!(show(&broken, "/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn documents_version_and_metrics_are_served_here() {
    let app = app(options().await);
    assert_eq!(
        show(&app, "/openapi.json").await.json()["info"]["title"],
        "Isobar region"
    );
    let own = show(&app, "/openapi/gateway.json").await.json();
    assert_eq!(own["info"]["title"], "Isobar gateway");
    assert!(own["paths"]["/session"]["post"].is_object());
    assert_eq!(
        show(&app, "/version").await.json()["version"],
        env!("CARGO_PKG_VERSION")
    );
    show(&app, "/servers").await;
    let metrics = show(&app, "/metrics").await.text;
    assert!(
        metrics.contains("isobar_gateway_requests_total{service=\"region\",status=\"200\"}"),
        "{metrics}"
    );
}

/// Every route the document names answers here, not at a service.
#[tokio::test]
async fn the_document_tells_the_truth_about_the_routes() {
    let app = app(options().await);
    let document = serde_json::to_value(document("t", "a", operations())).unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        let answer = show(&app, path).await;
        assert!(
            !answer.text.contains("\"service\":\"region\""),
            "{path} went to the region"
        );
    }
}

#[tokio::test]
async fn pages_may_load_and_run_nothing() {
    let app = app(options().await);
    for path in ["/", "/docs"] {
        let page = show(&app, path).await;
        assert!(
            page.header("content-security-policy").starts_with("default-src 'none'"),
            "{path}"
        );
        assert_eq!(page.header("referrer-policy"), "same-origin");
        assert!(!page.text.contains("<script") && !page.text.contains("src="));
    }
    assert_eq!(show(&app, "/servers").await.header("x-content-type-options"), "nosniff");
    // A service that has a policy of its own keeps it.
    let html = || async { ([("content-security-policy", "default-src 'self'")], Html("<p>")) };
    for place in PLACES {
        let region = upstream(place, Router::new().route("/page", get(html))).await;
        let app = apigateway::app(Options {
            region,
            ..Options::default()
        });
        assert_eq!(
            show(&app, "/page").await.header("content-security-policy"),
            "default-src 'self'"
        );
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_a_problem_document() {
    let app = app(options().await);
    for line in ["POST /", "PUT /session", "DELETE /docs", "POST /healthz"] {
        let answer = ask(&app, line, &[], Body::empty()).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (StatusCode::METHOD_NOT_ALLOWED, &"method_not_allowed".into())
        );
        assert!(answer.header("allow").contains("GET"), "{line}");
    }
}

#[tokio::test]
async fn a_panic_is_one_answer_with_its_request_id() {
    async fn defect() {
        panic!("as planned");
    }
    let region = Upstream::Local(Router::new().route("/boom", get(defect)));
    let app = app(Options {
        region,
        ..options().await
    });
    let answer = show(&app, "/boom").await;
    assert_eq!(
        (answer.status, &answer.json()["code"]),
        (StatusCode::INTERNAL_SERVER_ERROR, &"internal".into())
    );
    assert!(!answer.text.contains("as planned"));
    assert_eq!(answer.header("x-openstack-request-id").len(), 40);
}
