//! Being told to stop: what hears the signal, and what lets go of those who would never leave by themselves.

use axum::{
    Router,
    body::Body,
    http::{Response, header},
    middleware::{Next, from_fn},
};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

/// Fires on SIGTERM and SIGINT.
pub fn signalled() -> CancellationToken {
    let token = CancellationToken::new();
    let fired = token.clone();
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(mut term), Ok(mut int)) => {
                tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
                fired.cancel();
            }
            _ => tracing::error!("signals cannot be received; only SIGKILL stops this process"),
        }
    });
    token
}

/// Ends event streams at `stop`: they have no end of their own, and their readers resume at another replica or the
/// next start. Everything else is left to finish.
pub fn end_streams(app: Router, stop: CancellationToken) -> Router {
    app.layer(from_fn(move |request, next: Next| {
        let stop = stop.clone();
        async move {
            let response: Response<Body> = next.run(request).await;
            if !is_stream(&response) {
                return response;
            }
            response.map(|body| Body::from_stream(body.into_data_stream().take_until(stop.cancelled_owned())))
        }
    }))
}

fn is_stream(response: &Response<Body>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
