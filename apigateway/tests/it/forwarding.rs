//! Which service gets what, with which headers, and what happens when it is not there.

use apigateway::{Options, Upstream, app};
use axum::{Router, body::Body, http::StatusCode, routing::get};

use crate::kit::{PLACES, Place, ask, echoes, serve, upstream};

#[tokio::test]
async fn the_first_segment_chooses_the_service_and_the_path_stays() {
    for place in PLACES {
        let app = app(echoes(place).await);
        for (target, service) in [
            ("/identity", "identity"),
            ("/identity/v3/users?name=a%2Fb&x", "identity"),
            ("/image/v2/images", "image"),
            ("/placement/claims", "placement"),
            ("/identityless", "region"),
            ("/servers/web?wait=1s", "region"),
            ("/openapi/none.json", "region"),
        ] {
            let said = ask(&app, &format!("GET {target}"), &[], Body::empty()).await.json();
            assert_eq!(
                (said["service"].as_str(), said["target"].as_str()),
                (Some(service), Some(target)),
                "{place:?}"
            );
        }
        let said = ask(&app, "PATCH /servers/a", &[("content-type", "application/json")], "{}")
            .await
            .json();
        assert_eq!(
            (&said["method"], &said["body"]),
            (&"PATCH".into(), &"{}".into()),
            "{place:?}"
        );
    }
}

#[tokio::test]
async fn services_see_the_client_and_not_its_cookies() {
    for place in PLACES {
        let app = app(echoes(place).await);
        let lies = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-request-id", "mine"),
            ("cookie", "a=b"),
            ("connection", "x-secret"),
            ("x-secret", "1"),
            ("x-auth-token", "t"),
            ("x-openstack-request-id", "req-8a4fba0e-46cc-4a6a-9d3b-2f0d1c9f4b11"),
        ];
        let answer = ask(&app, "GET /servers", &lies, Body::empty()).await;
        let headers = &answer.json()["headers"];
        assert_eq!(headers["x-forwarded-host"], "cloud.example", "{place:?}");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-for"], "0.0.0.0");
        assert_eq!(headers["x-auth-token"], "t");
        for gone in ["cookie", "x-request-id", "x-secret", "connection", "transfer-encoding"] {
            assert!(headers[gone].is_null(), "{gone} reached the service, {place:?}");
        }
        assert_eq!(headers["x-openstack-request-id"], lies[8].1);
        assert_eq!(answer.header("x-openstack-request-id"), lies[8].1);
    }
}

#[tokio::test]
async fn a_request_id_is_made_when_there_is_none_or_a_bad_one() {
    for given in ["", "req-1", "req-zzzzzzzz-46cc-4a6a-9d3b-2f0d1c9f4b11"] {
        let app = app(echoes(Place::Here).await);
        let answer = ask(&app, "GET /x", &[("x-openstack-request-id", given)], Body::empty()).await;
        let id = answer.header("x-openstack-request-id");
        assert_ne!(id, given);
        assert!(id.len() == 40 && id.starts_with("req-"), "{id}");
        assert_eq!(answer.json()["headers"]["x-openstack-request-id"], id);
        assert_eq!(answer.headers.get_all("x-openstack-request-id").iter().count(), 1);
    }
}

#[tokio::test]
async fn redirects_and_errors_pass_unchanged() {
    let service = || {
        let away = || async { (StatusCode::FOUND, [("location", "/elsewhere"), ("x-own", "1")]) };
        let teapot = || async { (StatusCode::IM_A_TEAPOT, "short and stout") };
        Router::new().route("/away", get(away)).route("/teapot", get(teapot))
    };
    for place in PLACES {
        let app = app(Options {
            region: upstream(place, service()).await,
            ..Options::default()
        });
        let answer = ask(&app, "GET /away", &[], Body::empty()).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (StatusCode::FOUND, "/elsewhere")
        );
        assert_eq!(answer.header("x-own"), "1");
        let answer = ask(&app, "GET /teapot", &[], Body::empty()).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::IM_A_TEAPOT, "short and stout")
        );
    }
}

#[tokio::test]
async fn a_path_that_climbs_is_refused_before_it_is_sent() {
    let app = app(echoes(Place::Elsewhere).await);
    for path in ["/image/../metrics", "/image/%2e%2E/metrics"] {
        let answer = ask(&app, &format!("GET {path}"), &[], Body::empty()).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (StatusCode::BAD_REQUEST, &"bad_path".into())
        );
    }
}

#[tokio::test]
async fn a_dead_service_is_named_in_one_sentence() {
    // A port that was free a moment ago and has nobody behind it.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let image = Upstream::Http(vec![format!("http://{free}")]);
    let app = app(Options {
        image,
        ..echoes(Place::Here).await
    });
    let answer = ask(&app, "GET /image/v2/images", &[], Body::empty()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(
        problem["detail"],
        "the image service cannot be reached: try again in a moment"
    );
    assert_eq!(
        (&problem["code"], &problem["details"]["service"]),
        (&"unavailable".into(), &"image".into())
    );
    assert!(!answer.text.contains(&free.to_string()), "{}", answer.text);
    assert_eq!(
        ask(&app, "GET /servers", &[], Body::empty()).await.status,
        StatusCode::OK
    );
    let page = ask(&app, "GET /", &[], Body::empty()).await.text;
    assert!(
        page.contains("Not everything is ready") && page.contains("the image service cannot be reached"),
        "{page}"
    );
}

#[tokio::test]
async fn the_address_of_a_real_connection_is_what_services_see() {
    let origin = serve(app(echoes(Place::Elsewhere).await)).await;
    let said = reqwest::get(format!("{origin}/servers"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["headers"]["x-forwarded-for"], "127.0.0.1");
    assert_eq!(
        said["headers"]["x-forwarded-host"],
        origin.strip_prefix("http://").unwrap()
    );
}
