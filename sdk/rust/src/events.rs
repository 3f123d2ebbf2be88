//! The stream of events: every state change as it happens, resumed where it broke off.

use std::{collections::VecDeque, pin::Pin, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use reqwest::Method;
use types::api::event;

use crate::{Client, Error, Result, Service, retry};

/// A stream that is silent for longer is taken for dead: the server sends something more often.
const SILENCE: Duration = Duration::from_secs(90);

type Chunks = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// What to follow.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    /// Begin after this event; from now on when absent.
    pub since: Option<i64>,
    /// Further parameters, for example `noun` or `kind`.
    pub filters: Vec<(String, String)>,
}

struct Following {
    client: Client,
    follow: Follow,
    open: Option<(Chunks, sse::Parser)>,
    ready: VecDeque<event::View>,
    failures: u32,
}

impl Client {
    /// Events as they happen. A broken connection is taken up again after the last event seen, so none is missed;
    /// the stream ends only with an error that does not pass by itself.
    pub fn events(&self, follow: Follow) -> impl Stream<Item = Result<event::View>> + use<> {
        Following::new(self.clone(), follow).stream()
    }

    /// As [`Client::events`], connected when this returns: whatever happens afterwards is in the stream.
    pub async fn events_now(&self, follow: Follow) -> Result<impl Stream<Item = Result<event::View>> + use<>> {
        let mut following = Following::new(self.clone(), follow);
        following.open = Some((following.connect().await?, sse::Parser::default()));
        Ok(following.stream())
    }
}

impl Following {
    fn new(client: Client, follow: Follow) -> Self {
        Self {
            client,
            follow,
            open: None,
            ready: VecDeque::new(),
            failures: 0,
        }
    }

    fn stream(self) -> impl Stream<Item = Result<event::View>> + use<> {
        stream::unfold(Some(self), async |state| {
            let mut following = state?;
            match following.next().await {
                Ok(event) => Some((Ok(event), Some(following))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<event::View> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.follow.since = Some(event.seq);
                return Ok(event);
            }
            if let Err(error) = self.read().await {
                self.open = None;
                self.failures += 1;
                match retry::pause(&error, self.failures) {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                }
            }
        }
    }

    /// Reads one more piece, connecting first where needed.
    async fn read(&mut self) -> Result<()> {
        let (chunks, parser) = match &mut self.open {
            Some(open) => open,
            None => {
                let open = self.connect().await?;
                self.open.insert((open, sse::Parser::default()))
            }
        };
        let broken = |why: &str| Error::from(types::Error::unavailable(format!("the event stream {why}")));
        let piece = match tokio::time::timeout(SILENCE, chunks.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(broken("broke off").because(error.without_url())),
            Ok(None) => return Err(broken("ended")),
            Err(_) => return Err(broken("fell silent")),
        };
        self.failures = 0;
        for message in parser.push(&piece) {
            if message.data.is_empty() {
                // Where the stream begins, said before the first event.
                self.follow.since = message.id.parse().ok().or(self.follow.since);
            } else {
                let event = serde_json::from_str(&message.data).map_err(|e| Error::invalid_answer("an event", e))?;
                self.ready.push_back(event);
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Chunks> {
        let mut call = self.client.call(Method::GET, Service::Region, "events");
        call = call.header("accept", "text/event-stream");
        for (key, value) in &self.follow.filters {
            call = call.query(key, value);
        }
        if let Some(seq) = self.follow.since {
            call = call.header("last-event-id", seq.to_string());
        }
        Ok(Box::pin(call.open().await?.bytes_stream()))
    }
}

/// Server-sent events from bytes, whatever the boundaries between the pieces.
pub mod sse {
    #[derive(Debug, Default, PartialEq, Eq)]
    pub struct Message {
        pub id: String,
        pub event: String,
        pub data: String,
    }

    #[derive(Default)]
    pub struct Parser {
        line: Vec<u8>,
        message: Message,
    }

    impl Parser {
        /// The messages that this piece completes.
        pub fn push(&mut self, piece: &[u8]) -> Vec<Message> {
            let mut complete = Vec::new();
            for byte in piece {
                if *byte != b'\n' {
                    self.line.push(*byte);
                    continue;
                }
                let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                let line = line.strip_suffix('\r').unwrap_or(&line);
                if !line.is_empty() {
                    self.field(line);
                } else if self.message != Message::default() {
                    complete.push(std::mem::take(&mut self.message));
                }
            }
            complete
        }

        fn field(&mut self, line: &str) {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => value.clone_into(&mut self.message.id),
                "event" => value.clone_into(&mut self.message.event),
                "data" => {
                    if !self.message.data.is_empty() {
                        self.message.data.push('\n');
                    }
                    self.message.data.push_str(value);
                }
                _ => {}
            }
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn pieces_may_break_anywhere() {
            let text =
                ": hello\n\nid: 7\nevent: server.running\ndata: {\"a\":\ndata: 1}\n\n:\n\nid:8\r\ndata: x\r\n\r\n";
            for size in 1..text.len() {
                let mut parser = Parser::default();
                let pieces = text.as_bytes().chunks(size);
                let messages: Vec<_> = pieces.flat_map(|piece| parser.push(piece)).collect();
                let seen: Vec<_> = messages.iter().map(|m| (m.id.as_str(), m.data.as_str())).collect();
                assert_eq!(seen, [("7", "{\"a\":\n1}"), ("8", "x")], "pieces of {size}");
            }
        }
    }
}
