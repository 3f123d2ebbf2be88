//! Bodies that are larger than memory should be, and answers that do not end.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use apigateway::{Limits, Options, app};
use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    response::{Sse, sse},
    routing::{get, put},
};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use crate::kit::{PLACES, serve, upstream};

const CHUNK: usize = 256 << 10;
const SIZE: u64 = 512 << 20;
/// What may be under way between the two ends: a chunk here and there, and the socket buffers of two
/// connections, which some kernels let grow to tens of megabytes each. Far from all of it in any case.
const UNDER_WAY: u64 = SIZE / 4;

/// How far a producer was ahead of its consumer.
#[derive(Clone, Default)]
struct Gauge(Arc<[AtomicU64; 3]>);

impl Gauge {
    fn made(&self, bytes: usize) {
        let made = self.0[0].fetch_add(bytes as u64, Ordering::SeqCst) + bytes as u64;
        let ahead = made.saturating_sub(self.0[1].load(Ordering::SeqCst));
        self.0[2].fetch_max(ahead, Ordering::SeqCst);
    }

    fn taken(&self, bytes: usize) {
        self.0[1].fetch_add(bytes as u64, Ordering::SeqCst);
    }

    fn check(&self) {
        let [made, taken, ahead] = [0, 1, 2].map(|at| self.0[at].load(Ordering::SeqCst));
        assert_eq!((made, taken), (SIZE, SIZE));
        assert!(ahead <= UNDER_WAY, "{ahead} bytes were held between the two ends");
    }
}

fn data(gauge: Gauge) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let chunk = Bytes::from(vec![7; CHUNK]);
    futures::stream::iter(0..SIZE / CHUNK as u64).map(move |_| {
        gauge.made(chunk.len());
        Ok(chunk.clone())
    })
}

async fn take(mut data: impl Stream<Item = Result<Bytes, impl std::fmt::Debug>> + Unpin, gauge: &Gauge) {
    while let Some(chunk) = data.next().await {
        gauge.taken(chunk.unwrap().len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_never_held_whole() {
    for place in PLACES {
        let gauge = Gauge::default();
        let taking = gauge.clone();
        let file = put(move |body: Body| async move {
            take(body.into_data_stream(), &taking).await;
            StatusCode::NO_CONTENT
        });
        let image = upstream(place, Router::new().route("/image/v2/images/{id}/file", file)).await;
        let limits = Limits {
            body: 1000,
            patience: std::time::Duration::ZERO,
            ..Limits::default()
        };
        let origin = serve(app(Options {
            image,
            limits,
            ..Options::default()
        }))
        .await;
        let body = reqwest::Body::wrap_stream(data(gauge.clone()));
        let request = reqwest::Client::new()
            .put(format!("{origin}/image/v2/images/1/file"))
            .body(body);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
        gauge.check();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_is_never_held_whole() {
    for place in PLACES {
        let gauge = Gauge::default();
        let making = gauge.clone();
        let file = get(move || async move {
            let length = [("content-length", SIZE.to_string())];
            (length, Body::from_stream(data(making)))
        });
        let image = upstream(place, Router::new().route("/image/v2/images/{id}/file", file)).await;
        let origin = serve(app(Options {
            image,
            ..Options::default()
        }))
        .await;
        let answer = reqwest::get(format!("{origin}/image/v2/images/1/file")).await.unwrap();
        assert_eq!(answer.content_length(), Some(SIZE));
        take(answer.bytes_stream(), &gauge).await;
        gauge.check();
    }
}

#[tokio::test]
async fn each_event_arrives_before_the_next_is_made() {
    for place in PLACES {
        let (send, receive) = mpsc::channel::<String>(1);
        let receive = Arc::new(tokio::sync::Mutex::new(Some(receive)));
        let events = get(move || async move {
            let receive = receive.lock().await.take().unwrap();
            let events = futures::stream::unfold(receive, |mut receive| async {
                let text = receive.recv().await?;
                Some((Ok::<_, Infallible>(sse::Event::default().data(text)), receive))
            });
            Sse::new(events)
        });
        let region = upstream(place, Router::new().route("/events", events)).await;
        let origin = serve(app(Options {
            region,
            ..Options::default()
        }))
        .await;
        let mut answer = reqwest::get(format!("{origin}/events")).await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        for word in ["scheduled", "starting", "running"] {
            send.send(word.to_owned()).await.unwrap();
            let chunk = answer.chunk().await.unwrap().unwrap();
            assert_eq!(chunk, format!("data: {word}\n\n"), "{place:?}");
        }
        drop(send);
        assert_eq!(answer.chunk().await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_stream_behind() {
    for place in PLACES {
        let (send, receive) = mpsc::channel::<String>(1);
        let receive = Arc::new(tokio::sync::Mutex::new(Some(receive)));
        let events = get(move || async move {
            let receive = receive.lock().await.take().unwrap();
            let lines = futures::stream::unfold(receive, |mut receive| async {
                let line = receive.recv().await?;
                Some((Ok::<_, Infallible>(line), receive))
            });
            Body::from_stream(lines)
        });
        let region = upstream(place, Router::new().route("/events", events)).await;
        let origin = serve(app(Options {
            region,
            ..Options::default()
        }))
        .await;
        let answer = reqwest::get(format!("{origin}/events")).await.unwrap();
        drop(answer);
        // Returns when the service's end of the stream was dropped.
        send.closed().await;
    }
}
