//! Answers that break off or never come: a call that may be repeated is, within its deadline; another is not.
//!
//! No time passes: a service that hangs sets the clock forward by what a client's attempt may take.

#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use isobar_sdk::{Auth, Client, Options, Service, types::Kind};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
const TIMEOUT: Duration = Duration::from_secs(60);

/// What the service does with a request.
#[derive(Clone, Copy)]
enum How {
    Hangs,
    HangsInTheBody,
    BreaksOff,
    Answers,
}

struct Fake {
    origin: String,
    script: Mutex<VecDeque<How>>,
}

impl Fake {
    /// After the script it answers.
    async fn start(script: &[How]) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Arc::new(Self {
            origin: format!("http://{}", listener.local_addr().unwrap()),
            script: Mutex::new(script.iter().copied().collect()),
        });
        let serving = fake.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serving.serve(stream).await;
            }
        });
        fake
    }

    async fn serve(&self, mut stream: TcpStream) {
        let asked = head(&mut stream).await;
        if asked.contains("auth/tokens") {
            let token = json!({ "token": { "expires_at": "2099-01-01T00:00:00.000000Z", "catalog": [
                { "type": "isobar", "endpoints": [{ "interface": "public", "region": "r", "url": self.origin }] }] } });
            return answer(&mut stream, &token).await;
        }
        let how = self.script.lock().unwrap().pop_front().unwrap_or(How::Answers);
        let part = format!("{HEAD}content-length: 100\r\n\r\n{{\"half");
        match how {
            How::Answers => answer(&mut stream, &json!({ "ok": true })).await,
            How::BreaksOff => stream.write_all(part.as_bytes()).await.unwrap(),
            How::Hangs => pass().await,
            How::HangsInTheBody => {
                stream.write_all(part.as_bytes()).await.unwrap();
                pass().await;
            }
        }
    }

    fn client(&self) -> Client {
        let auth = Auth {
            auth_url: format!("{}/v3", self.origin),
            token: Some("t".to_owned()),
            ..Auth::default()
        };
        let options = Options {
            timeout: TIMEOUT,
            deadline: 2 * TIMEOUT,
            ..Options::default()
        };
        Client::with(auth, options)
    }

    fn left(&self) -> usize {
        self.script.lock().unwrap().len()
    }
}

/// The client's patience ends while the connection is open.
async fn pass() {
    tokio::time::pause();
    tokio::time::advance(TIMEOUT).await;
    tokio::time::resume();
}

async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.windows(4).any(|end| end == b"\r\n\r\n") {
        text.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(text).unwrap()
}

async fn answer(stream: &mut TcpStream, body: &Value) {
    let body = body.to_string();
    let text = format!("{HEAD}content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn what_may_be_repeated_is_sent_again() {
    for how in [How::Hangs, How::HangsInTheBody, How::BreaksOff] {
        let fake = Fake::start(&[how]).await;
        let client = fake.client();
        let reply = client
            .call(Method::GET, Service::Region, "things")
            .send()
            .await
            .unwrap();
        assert_eq!(reply.json::<Value>().unwrap(), json!({ "ok": true }));
        let fake = Fake::start(&[how]).await;
        let create = fake.client().call(Method::POST, Service::Region, "things").keyed();
        assert_eq!(create.receive::<Value>().await.unwrap(), json!({ "ok": true }));
    }
}

#[tokio::test]
async fn what_may_not_be_repeated_is_sent_once() {
    for (how, kind, said) in [
        (How::Hangs, Kind::Timeout, "did not answer within 60s"),
        (
            How::BreaksOff,
            Kind::Unavailable,
            "broke off in the middle of its answer",
        ),
    ] {
        let fake = Fake::start(&[how, How::Answers]).await;
        let call = fake.client().call(Method::POST, Service::Region, "things");
        let error = call.send().await.err().unwrap();
        assert_eq!((error.kind, fake.left()), (kind, 1), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Four attempts are allowed; there is time for two.
#[tokio::test]
async fn no_attempt_outlives_the_deadline() {
    let fake = Fake::start(&[How::Hangs; 4]).await;
    let call = fake.client().call(Method::GET, Service::Region, "things");
    let error = call.send().await.err().unwrap();
    assert_eq!((error.kind, fake.left()), (Kind::Timeout, 2), "{error}");
}
