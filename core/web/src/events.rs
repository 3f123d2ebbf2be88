//! `GET /events`: the outbox as server-sent events, within the caller's reach, resumable.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response, Sse,
        sse::{self, KeepAlive},
    },
    routing::get,
};
use futures::{Stream, StreamExt};
use store::event::{self, Since};
use types::{Result, api};

use crate::{App, Caller, Problem, query};

pub fn routes<A: App>() -> Router<A> {
    Router::new().route("/events", get(events::<A>))
}

/// `since` (or `Last-Event-ID`) resumes after an event; without either, only what happens from now on is sent.
/// The stream begins with the number it goes on from, so that one that breaks before its first event misses none.
/// `follow=false` answers a plain list instead, from the beginning when `since` is absent.
async fn events<A: App>(
    State(app): State<A>,
    Caller(cx): Caller,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let mut since = Since {
        limit: 100,
        ..Since::default()
    };
    let (mut follow, mut from) = (true, None);
    for (key, value) in query::pairs(raw.as_deref()) {
        match key.as_str() {
            "since" => from = value.parse().ok(),
            "noun" => since.noun = Some(value),
            "resource" => since.resource_id = Some(value),
            "limit" => since.limit = value.parse().unwrap_or(100),
            "follow" => follow = query::flag("follow", &value)?,
            _ => return Err(query::unknown(&key).into()),
        }
    }
    let last = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    from = from.or(last);
    if !follow {
        since.seq = from.unwrap_or(0);
        let rows = app.store().events(&cx, &since).await?;
        let next = rows.last().map(|row| row.seq.to_string());
        let items = rows.into_iter().map(view).collect();
        return Ok(Json(api::Items { items, next }).into_response());
    }
    since.seq = match from {
        Some(seq) => seq,
        None => app.store().last_event().await?,
    };
    // Asked once before streaming, so that a refusal is a proper answer.
    app.store()
        .events(
            &cx,
            &Since {
                limit: 1,
                ..since.clone()
            },
        )
        .await?;
    Ok(Sse::new(stream(app, cx, since))
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// Events in the database are the truth; the signal only says when to look again.
fn stream<A: App>(app: A, cx: auth::Cx, since: Since) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let signal = app.store().signal(event::CHANNEL);
    let begin = sse::Event::default().id(since.seq.to_string());
    let state = (app, cx, since, signal, std::collections::VecDeque::new());
    let events = futures::stream::unfold(state, |(app, cx, mut since, mut signal, mut ready)| async move {
        loop {
            if let Some(row) = ready.pop_front() {
                return Some((Ok(frame(row)), (app, cx, since, signal, ready)));
            }
            signal.mark_unchanged();
            match app.store().events(&cx, &since).await {
                Ok(rows) if !rows.is_empty() => {
                    since.seq = rows.last().map_or(since.seq, |row| row.seq);
                    ready.extend(rows);
                }
                Ok(_) => {
                    // A closed signal means the store is going away; looking again in a second is harmless then.
                    if tokio::time::timeout(Duration::from_secs(1), signal.changed())
                        .await
                        .is_ok_and(|r| r.is_err())
                    {
                        return None;
                    }
                }
                Err(error) => {
                    tracing::warn!("an event stream cannot read: {}", error.chain());
                    return None;
                }
            }
        }
    });
    futures::stream::once(async { Ok(begin) }).chain(events)
}

fn frame(row: event::Model) -> sse::Event {
    let (seq, kind) = (row.seq.to_string(), row.kind.clone());
    let data = serde_json::to_string(&view(row)).unwrap_or_default();
    sse::Event::default().id(seq).event(kind).data(data)
}

fn view(row: event::Model) -> api::event::View {
    api::event::View {
        seq: row.seq,
        at: row.at,
        kind: row.kind,
        noun: row.noun,
        resource_id: row.resource_id,
        name: row.name,
        project_id: row.project_id,
        actor: row.actor,
        request_id: row.request_id,
        data: row.data.0,
    }
}
