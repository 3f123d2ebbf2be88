//! Too fast, too large, too slow.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use apigateway::{Limits, Options, Pace, Rate, app};
use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    routing::{get, post},
};
use tokio::sync::Semaphore;

use crate::kit::{Answer, PLACES, Place, ask, echoes, upstream};

const SLOW: Pace = Pace {
    per_second: 1,
    burst: 3,
};

/// Asks until it is refused; the refusal comes after the burst and what was regained meanwhile.
async fn until_refused(app: &Router, line: &str, from: &str) -> Answer {
    let started = Instant::now();
    let mut good = 0;
    loop {
        let answer = ask(app, line, &[("x-forwarded-for", from)], Body::empty()).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(good >= SLOW.burst, "refused after {good}");
            return answer;
        }
        good += 1;
        let most = SLOW.burst + SLOW.per_second * (started.elapsed().as_secs() as u32 + 1);
        assert!(good <= most, "{good} of at most {most} passed");
    }
}

#[tokio::test]
async fn logins_have_a_pace_of_their_own_for_each_address() {
    let rate = Rate {
        logins: SLOW,
        ..Rate::default()
    };
    let app = app(Options {
        rate,
        trust_forwarded: true,
        ..echoes(Place::Here).await
    });
    for line in ["POST /identity/v3/auth/tokens", "POST /identity/v3/auth/tokens/"] {
        let from = format!("192.0.2.{}", line.len());
        let refused = until_refused(&app, line, &from).await;
        let problem = refused.json();
        assert_eq!(
            (&problem["code"], &problem["status"]),
            (&"throttled".into(), &429.into())
        );
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .starts_with("too many logins from your address")
        );
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=2).contains(&wait), "{wait}");
        assert_eq!(refused.header("x-openstack-request-id").len(), 40);
        // Neither others nor other requests are held.
        let other = ask(&app, line, &[("x-forwarded-for", "203.0.113.9")], "").await;
        assert_ne!(other.status, StatusCode::TOO_MANY_REQUESTS);
        let list = ask(&app, "GET /servers", &[("x-forwarded-for", &from)], "").await;
        assert_eq!(list.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn other_requests_share_one_pace() {
    let rate = Rate {
        requests: SLOW,
        ..Rate::default()
    };
    let app = app(Options {
        rate,
        trust_forwarded: true,
        ..echoes(Place::Here).await
    });
    let refused = until_refused(&app, "GET /servers", "192.0.2.1").await;
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("too many requests")
    );
}

#[tokio::test]
async fn a_body_is_held_to_its_limit_whether_it_says_its_length_or_not() {
    let service = || {
        let length = |body: Bytes| async move { body.len().to_string() };
        Router::new().route("/servers", post(length))
    };
    for place in PLACES {
        let limits = Limits {
            body: 1000,
            ..Limits::default()
        };
        let app = app(Options {
            limits,
            region: upstream(place, service()).await,
            ..Options::default()
        });
        let unsaid = |size: usize| {
            let chunks = (0..size / 100).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 100])));
            Body::from_stream(futures::stream::iter(chunks.collect::<Vec<_>>()))
        };
        for (body, said) in [(unsaid(1000), None), (Body::from(vec![b'x'; 1000]), Some("1000"))] {
            let headers: Vec<_> = said.map(|length| ("content-length", length)).into_iter().collect();
            let answer = ask(&app, "POST /servers", &headers, body).await;
            assert_eq!(
                (answer.status, answer.text.as_str()),
                (StatusCode::OK, "1000"),
                "{place:?}"
            );
        }
        for (body, said) in [(unsaid(1100), None), (Body::from(vec![b'x'; 1001]), Some("1001"))] {
            let headers: Vec<_> = said.map(|length| ("content-length", length)).into_iter().collect();
            let answer = ask(&app, "POST /servers", &headers, body).await;
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (StatusCode::PAYLOAD_TOO_LARGE, &"too_large".into())
            );
        }
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_not_waited_for_for_ever() {
    let limits = Limits {
        patience: Duration::from_millis(20),
        ..Limits::default()
    };
    for place in PLACES {
        let never = Router::new().route("/servers", get(pending::<()>));
        let app = app(Options {
            limits,
            region: upstream(place, never).await,
            ..Options::default()
        });
        let answer = ask(&app, "GET /servers", &[], "").await;
        assert_eq!(
            (answer.status, &answer.json()["kind"]),
            (StatusCode::GATEWAY_TIMEOUT, &"timeout".into())
        );
        assert!(answer.text.contains("the region service has not answered"));
    }
}

#[tokio::test]
async fn a_request_that_waits_is_given_its_time() {
    let limits = Limits {
        patience: Duration::from_millis(20),
        ..Limits::default()
    };
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let service = get(move || async move {
        held.acquire().await.unwrap().forget();
        "done"
    });
    let region = upstream(Place::Here, Router::new().route("/servers", service)).await;
    let app = app(Options {
        limits,
        region,
        ..Options::default()
    });
    let waiting = ask(&app, "GET /servers?wait=30s", &[], "");
    let others = async {
        // Refused after the patience that both began with.
        let late = ask(&app, "GET /servers?waiting=1", &[], "").await;
        gate.add_permits(1);
        late.status
    };
    let (waited, late) = tokio::join!(waiting, others);
    assert_eq!((waited.text.as_str(), late), ("done", StatusCode::GATEWAY_TIMEOUT));
}
