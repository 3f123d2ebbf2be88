//! Browsers' sessions, against a small identity service that knows one user and keeps its tokens in a set.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use apigateway::{Options, Upstream, app};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use crate::kit::{Answer, PLACES, Place, ask, echo, echoes, upstream};

type Tokens = Arc<Mutex<HashSet<String>>>;

fn identity(tokens: Tokens) -> Router {
    let route = post(issue).get(check).delete(revoke);
    Router::new()
        .route("/identity/v3/auth/tokens", route)
        .with_state(tokens)
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (
        status,
        Json(json!({ "error": { "code": status.as_u16(), "message": message } })),
    )
        .into_response()
}

fn described(project: &Value) -> Json<Value> {
    let mut token = json!({
        "user": { "id": "u1", "name": "ada", "domain": { "id": "default", "name": "Default" } },
        "roles": [{ "id": "r1", "name": "member" }],
        "expires_at": "2999-01-01T00:00:00.000000Z",
    });
    if project.is_string() {
        token["project"] = json!({ "id": "p1", "name": project, "domain": { "id": "default", "name": "Default" } });
    }
    Json(json!({ "token": token }))
}

async fn issue(State(tokens): State<Tokens>, Json(body): Json<Value>) -> Response {
    let user = &body["auth"]["identity"]["password"]["user"];
    let known = json!({ "name": "ada", "domain": { "id": "default" }, "password": "right" });
    if *user != known {
        return refuse(StatusCode::UNAUTHORIZED, "the name or the password is wrong");
    }
    let token = format!("token-{}", tokens.lock().unwrap().len());
    tokens.lock().unwrap().insert(token.clone());
    let project = &body["auth"]["scope"]["project"]["name"];
    (StatusCode::CREATED, [("x-subject-token", token)], described(project)).into_response()
}

fn holds(tokens: &Tokens, headers: &HeaderMap) -> Option<String> {
    let token = headers
        .get("x-subject-token")
        .filter(|token| Some(*token) == headers.get("x-auth-token"))?;
    let token = token.to_str().unwrap().to_owned();
    tokens.lock().unwrap().contains(&token).then_some(token)
}

async fn check(State(tokens): State<Tokens>, headers: HeaderMap) -> Response {
    match holds(&tokens, &headers) {
        Some(_) => described(&json!("lab")).into_response(),
        None => refuse(StatusCode::UNAUTHORIZED, "the token is not good"),
    }
}

async fn revoke(State(tokens): State<Tokens>, headers: HeaderMap) -> Response {
    match holds(&tokens, &headers) {
        Some(token) => {
            tokens.lock().unwrap().remove(&token);
            StatusCode::NO_CONTENT.into_response()
        }
        None => refuse(StatusCode::UNAUTHORIZED, "the token is not good"),
    }
}

async fn gateway(place: Place, secure_cookies: bool) -> (Router, Tokens) {
    let tokens = Tokens::default();
    let identity = upstream(place, identity(tokens.clone())).await;
    let region = upstream(place, echo("region")).await;
    (
        app(Options {
            identity,
            region,
            secure_cookies,
            ..Options::default()
        }),
        tokens,
    )
}

const HERE: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn log_in(app: &Router) -> (Answer, String) {
    let body = json!({ "username": "ada", "password": "right", "project": "lab" }).to_string();
    let answer = ask(app, "POST /session", &[HERE], body).await;
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    (answer, cookie)
}

#[tokio::test]
async fn log_in_act_look_and_log_out() {
    for place in PLACES {
        let (app, tokens) = gateway(place, false).await;
        let (answer, cookie) = log_in(&app).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let set = answer.header("set-cookie");
        assert!(set.starts_with("isobar_session=token-0; Path=/; Max-Age="), "{set}");
        assert!(set.ends_with("; HttpOnly; SameSite=Strict"), "{set}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let said = answer.json();
        assert_eq!(
            (&said["user"]["name"], &said["project"]["name"]),
            (&"ada".into(), &"lab".into())
        );
        assert_eq!(
            (&said["roles"], &said["expires_at"]),
            (&json!(["member"]), &"2999-01-01T00:00:00.000000Z".into())
        );
        assert!(!answer.text.contains("token-0"), "scripts must not see the token");

        let with = ("cookie", cookie.as_str());
        assert_eq!(ask(&app, "GET /session", &[with], "").await.json(), said);
        let seen = ask(&app, "POST /servers", &[with, HERE], "{}").await.json();
        assert_eq!(seen["headers"]["x-auth-token"], "token-0");
        assert!(seen["headers"]["cookie"].is_null());

        let end = ask(&app, "DELETE /session", &[with, HERE], "").await;
        assert_eq!(end.status, StatusCode::NO_CONTENT);
        assert!(
            end.header("set-cookie")
                .starts_with("isobar_session=; Path=/; Max-Age=0")
        );
        assert!(tokens.lock().unwrap().is_empty(), "the token lives on");
        let after = ask(&app, "GET /session", &[with], "").await;
        assert_eq!(
            (after.status, &after.json()["code"]),
            (StatusCode::UNAUTHORIZED, &"unauthenticated".into())
        );
        assert!(after.header("set-cookie").starts_with("isobar_session=;"));
        assert_eq!(
            ask(&app, "DELETE /session", &[with, HERE], "").await.status,
            StatusCode::NO_CONTENT
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_in_keystones_words() {
    for place in PLACES {
        let (app, _) = gateway(place, false).await;
        let answer = ask(&app, "POST /session", &[], r#"{"username":"ada","password":"wrong"}"#).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.json()["detail"], "the name or the password is wrong");
        assert_eq!(answer.header("set-cookie"), "");
        let answer = ask(
            &app,
            "POST /session",
            &[],
            r#"{"username":"ada","password":"right","projet":"x"}"#,
        )
        .await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (StatusCode::BAD_REQUEST, &"unknown_field".into())
        );
    }
}

#[tokio::test]
async fn other_sites_cannot_use_a_session() {
    let (app, tokens) = gateway(Place::Here, false).await;
    let (_, cookie) = log_in(&app).await;
    let with = ("cookie", cookie.as_str());
    let refused: [&[(&str, &str)]; 5] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "http://cloud.example")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
    ];
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        for said in refused {
            let headers = [&[with], said].concat();
            for path in ["/servers/a", "/session"] {
                let answer = ask(&app, &format!("{method} {path}"), &headers, "").await;
                assert_eq!(
                    (answer.status, &answer.json()["code"]),
                    (StatusCode::FORBIDDEN, &"cross_site".into()),
                    "{said:?}"
                );
            }
        }
        for said in [HERE, ("sec-fetch-site", "none"), ("origin", "http://cloud.example")] {
            let answer = ask(&app, &format!("{method} /servers/a"), &[with, said], "").await;
            assert_eq!(answer.json()["headers"]["x-auth-token"], "token-0", "{said:?}");
        }
    }
    assert_eq!(tokens.lock().unwrap().len(), 1);
    // Reading is not acting, and SameSite keeps the cookie away from other sites' requests anyway.
    assert_eq!(ask(&app, "GET /servers", &[with], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn no_site_can_log_a_browser_in_as_somebody_else() {
    let (app, tokens) = gateway(Place::Here, false).await;
    let body = r#"{"username":"ada","password":"right"}"#;
    for said in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
        let answer = ask(&app, "POST /session", &[said], body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(tokens.lock().unwrap().is_empty());
    // Programs say nothing about sites.
    let answer = ask(&app, "POST /session", &[], body).await;
    assert_eq!(
        (answer.status, &answer.json()["project"]),
        (StatusCode::CREATED, &Value::Null)
    );
}

#[tokio::test]
async fn a_token_of_its_own_makes_a_request_nobodys_session() {
    let (app, _) = gateway(Place::Here, false).await;
    let with = ("cookie", "isobar_session=token-0");
    let evil = ("sec-fetch-site", "cross-site");
    let seen = ask(&app, "POST /servers", &[with, evil, ("x-auth-token", "mine")], "")
        .await
        .json();
    assert_eq!(seen["headers"]["x-auth-token"], "mine");
    let seen = ask(&app, "POST /servers", &[with, ("authorization", "Bearer mine")], "")
        .await
        .json();
    assert!(seen["headers"]["x-auth-token"].is_null());
    assert_eq!(seen["headers"]["authorization"], "Bearer mine");
}

#[tokio::test]
async fn cookies_of_https_are_secure() {
    let (app, _) = gateway(Place::Here, true).await;
    assert!(log_in(&app).await.0.header("set-cookie").ends_with("; Secure"));
    let seen = ask(&app, "GET /servers", &[], "").await.json();
    assert_eq!(seen["headers"]["x-forwarded-proto"], "https");

    let identity = upstream(Place::Here, identity(Tokens::default())).await;
    let app = apigateway::app(Options {
        identity,
        trust_forwarded: true,
        ..Options::default()
    });
    let body = r#"{"username":"ada","password":"right"}"#;
    for (scheme, secure) in [("https", true), ("http", false)] {
        let answer = ask(&app, "POST /session", &[("x-forwarded-proto", scheme)], body).await;
        assert_eq!(answer.header("set-cookie").ends_with("; Secure"), secure);
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_ended_stays() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let identity = Upstream::Http(vec![format!("http://{free}")]);
    let app = app(Options {
        identity,
        ..echoes(Place::Here).await
    });
    let answer = ask(
        &app,
        "DELETE /session",
        &[("cookie", "isobar_session=t"), HERE],
        Body::empty(),
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("set-cookie")),
        (StatusCode::SERVICE_UNAVAILABLE, "")
    );
    assert_eq!(
        answer.json()["detail"],
        "the identity service cannot be reached: try again in a moment"
    );
}
