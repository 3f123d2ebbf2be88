//! The replicas of one service, and a request that goes to the first of them that accepts a connection.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use types::{Error, Result};

/// Where a service is, each origin without a slash at the end. The one that answered last is asked first.
#[derive(Debug)]
pub struct Origins {
    service: &'static str,
    all: Vec<String>,
    last: AtomicUsize,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// The request could not be made.
    Unwritable(Error),
    /// No origin accepted a connection, so nothing was sent. Why the last of them did not; `None` when there is no origin.
    Unreached(Option<reqwest::Error>),
    /// The connection ended before the answer began. The request may have had its effect.
    Broken(reqwest::Error),
}

impl Origins {
    pub fn new(service: &'static str, all: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let trimmed = |origin: &str| origin.trim_end_matches('/').to_owned();
        Self {
            service,
            all: all.into_iter().map(|origin| trimmed(origin.as_ref())).collect(),
            last: AtomicUsize::new(0),
        }
    }

    /// Sends what `build` makes for an origin. Each origin is tried at most once, and another one only after a failure to
    /// connect: at that time no byte of the request has left and nobody has asked for its body. The client's own connect
    /// timeout bounds each try.
    pub async fn send(
        &self,
        client: &reqwest::Client,
        build: impl Fn(&str) -> Result<reqwest::Request>,
    ) -> Result<reqwest::Response, Unanswered> {
        let first = self.last.load(Ordering::Relaxed);
        let mut cause = None;
        for index in (0..self.all.len()).map(|step| (first + step) % self.all.len()) {
            let origin = &self.all[index];
            let request = build(origin).map_err(Unanswered::Unwritable)?;
            match client.execute(request).await {
                Ok(answer) => {
                    self.last.store(index, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) if error.is_connect() => {
                    tracing::warn!(service = self.service, %origin, %error, "a replica cannot be reached");
                    cause = Some(error);
                }
                Err(error) => return Err(Unanswered::Broken(error)),
            }
        }
        Err(Unanswered::Unreached(cause))
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.all.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{Json, Router, http::header, routing::any};
    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpSocket},
        sync::oneshot,
        task::JoinHandle,
    };
    use types::Kind;

    use crate::Peer;

    /// A port that is ours and refuses connections until it listens.
    fn deaf() -> (TcpSocket, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// Answers everything with its name, until told to stop. No connection is kept, so that each request makes its own.
    fn serve(listener: TcpListener, name: &'static str) -> (oneshot::Sender<()>, JoinHandle<()>) {
        let app = Router::new().fallback(any(
            move || async move { ([(header::CONNECTION, "close")], Json(name)) },
        ));
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, app).with_graceful_shutdown(async move { stopped.await.unwrap() });
        (stop, tokio::spawn(async move { server.await.unwrap() }))
    }

    fn peer(addresses: &[SocketAddr]) -> Peer {
        Peer::http(
            "scheduler",
            addresses.iter().map(|address| format!("http://{address}/")),
        )
    }

    #[tokio::test]
    async fn the_next_replica_answers_and_is_remembered() {
        let (socket, one) = deaf();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = peer(&[one, listener.local_addr().unwrap()]);
        let (stop, stopped) = serve(listener, "two");
        assert_eq!(peer.get::<String>("r", "/x").await.unwrap(), "two");
        // The first is back; nobody is sent there while the second answers.
        let _one = serve(socket.listen(8).unwrap(), "one");
        for caller in [&peer, &peer.clone()] {
            assert_eq!(caller.post::<String>("r", "/x", &1).await.unwrap(), "two");
        }
        stop.send(()).unwrap();
        stopped.await.unwrap();
        assert_eq!(peer.post::<String>("r", "/x", &1).await.unwrap(), "one");
        assert!(peer.stream("r", "/x").await.is_ok());
    }

    #[tokio::test]
    async fn when_all_refuse_one_sentence_names_them() {
        let ((_a, one), (_b, two)) = (deaf(), deaf());
        let peer = peer(&[one, two]);
        let sentence = format!("scheduler cannot be reached at http://{one} or http://{two}");
        let called = peer.get::<String>("r", "/x").await.unwrap_err();
        assert_eq!((called.kind, &called.message), (Kind::Unavailable, &sentence));
        assert_eq!(peer.stream("r", "/x").await.err().unwrap().message, sentence);
    }

    #[tokio::test]
    async fn what_may_have_been_sent_is_not_sent_again() {
        let taker = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = peer(&[taker.local_addr().unwrap(), other.local_addr().unwrap()]);
        let _other = serve(other, "other");
        let taken = tokio::spawn(async move {
            let (mut connection, _) = taker.accept().await.unwrap();
            connection.read(&mut [0; 1024]).await.unwrap()
        });
        let error = peer.post::<String>("r", "/x", &1).await.unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (
                Kind::Unavailable,
                "the connection to scheduler broke before its answer ended"
            )
        );
        assert!(taken.await.unwrap() > 0);
    }
}
