//! Services with several replicas, some of which are not there.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use apigateway::{Options, Upstream, app};
use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    routing::any,
};
use futures::{StreamExt, stream};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket},
};

use crate::kit::{Place, ask, echo, echoes, serve};

/// A port that is ours and refuses connections, and its origin.
fn deaf() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let origin = format!("http://{}", socket.local_addr().unwrap());
    (socket, origin)
}

/// A gateway whose image service has these replicas.
async fn gateway(origins: Vec<String>) -> Router {
    app(Options {
        image: Upstream::Http(origins),
        ..echoes(Place::Here).await
    })
}

/// Chunks of unknown total length.
fn chunks(number: u64, size: usize) -> (Body, Arc<AtomicU64>) {
    let made = Arc::new(AtomicU64::new(0));
    let count = made.clone();
    let body = stream::iter(0..number).map(move |n| {
        count.fetch_add(1, Ordering::SeqCst);
        let letter = b'a' + u8::try_from(n % 26).unwrap();
        Ok::<_, std::io::Error>(Bytes::from(vec![letter; size]))
    });
    (Body::from_stream(body), made)
}

#[tokio::test]
async fn a_replica_that_is_gone_is_passed_over() {
    let (_dead, dead) = deaf();
    let alive = serve(echo("image")).await;
    for line in [
        "GET /image/v2/images",
        "POST /image/v2/images",
        "DELETE /image/v2/images/i",
    ] {
        let app = gateway(vec![dead.clone(), alive.clone()]).await;
        let body = if line.starts_with("POST") { "{}" } else { "" };
        let answer = ask(&app, line, &[], body).await;
        assert_eq!(answer.status, StatusCode::OK, "{line}: {}", answer.text);
        assert_eq!(answer.json()["body"], body);
    }
    let page = ask(&gateway(vec![dead, alive]).await, "GET /", &[], Body::empty())
        .await
        .text;
    assert!(page.contains("Everything is ready"), "{page}");
}

#[tokio::test]
async fn the_one_that_answered_is_asked_first() {
    let (socket, one) = deaf();
    let two = serve(echo("two")).await;
    let app = gateway(vec![one, two]).await;
    let line = "GET /image/v2/images";
    assert_eq!(ask(&app, line, &[], "").await.json()["service"], "two");
    // The first is back, and nobody needs it.
    let listener = socket.listen(8).unwrap();
    tokio::spawn(async move { axum::serve(listener, echo("one")).await.unwrap() });
    assert_eq!(ask(&app, line, &[], "").await.json()["service"], "two");
}

#[tokio::test]
async fn an_upload_reaches_the_replica_that_is_there_whole() {
    let (_dead, dead) = deaf();
    let alive = serve(echo("image")).await;
    for (line, length) in [
        ("PUT /image/v2/images/i/file", None),
        ("PUT /image/v2/images/i/file", Some("400000")),
    ] {
        let app = gateway(vec![dead.clone(), alive.clone()]).await;
        let (body, _) = chunks(100, 4000);
        let headers: Vec<_> = length.iter().map(|length| ("content-length", *length)).collect();
        let answer = ask(&app, line, &headers, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let said = answer.json();
        let expected: String = (0..100u8)
            .flat_map(|n| std::iter::repeat_n(char::from(b'a' + n % 26), 4000))
            .collect();
        assert!(
            said["body"] == expected.as_str(),
            "{} bytes",
            said["body"].as_str().unwrap().len()
        );
        assert_eq!(said["headers"]["content-length"].as_str(), length);
    }
}

#[tokio::test]
async fn nothing_of_an_upload_is_read_for_replicas_that_are_all_gone() {
    let ((_a, one), (_b, two)) = (deaf(), deaf());
    let app = gateway(vec![one.clone(), two.clone()]).await;
    let (body, made) = chunks(100, 4000);
    let answer = ask(&app, "PUT /image/v2/images/i/file", &[], body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.json()["detail"],
        "the image service cannot be reached: try again in a moment"
    );
    assert_eq!(made.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_may_have_been_sent_is_not_sent_to_another() {
    let taker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = format!("http://{}", taker.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let two = serve(Router::new().fallback(any(move || async move {
        count.fetch_add(1, Ordering::SeqCst);
    })))
    .await;
    let taken = tokio::spawn(async move {
        let (mut connection, _) = taker.accept().await.unwrap();
        connection.read(&mut [0; 1024]).await.unwrap()
    });
    let answer = ask(&gateway(vec![one, two]).await, "POST /image/v2/images", &[], "{}").await;
    assert!(taken.await.unwrap() > 0);
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.json()["detail"],
        "the connection to the image service broke before it answered"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}
