//! `--watch`: what was shown is shown again when it has changed; the event stream says when to look.

use std::{io::IsTerminal, pin::pin, time::Duration};

use futures::{FutureExt, StreamExt};
use isobar_sdk::Follow;
use serde_json::Value;

use crate::{
    failure::Failure,
    noun::{Cx, Done, Home, Noun},
    output::{self, Shape},
};

/// Things of the region tell of every change of state. What no event tells of, such as how full a host is, is noticed
/// after this long.
const TOLD: Duration = Duration::from_secs(60);

/// Steps of tasks, users and images of other services are not in the stream's part for their noun.
const UNTOLD: Duration = Duration::from_secs(5);

/// Shows what `fetch` finds, once or, with `--watch`, until interrupted.
pub async fn shown<F>(cx: Cx<'_>, shape: Shape, fetch: F) -> Done
where
    F: AsyncFn() -> Result<Vec<Value>, Failure>,
{
    if !cx.flag("watch") {
        return cx.app.output.print(cx.noun, shape, fetch().await?).map(|()| 0);
    }
    let (filters, patience) = about(cx.noun);
    let follow = Follow { since: None, filters };
    // Open before the first look: a change between the two is in the stream.
    let mut events = pin!(cx.app.client()?.events_now(follow).await?);
    let mut last = String::new();
    loop {
        let text = cx.app.output.render(cx.noun, shape, fetch().await?)?;
        if text != last {
            output::write(&format!("{}{text}", clear()))?;
            last = text;
        }
        let mut next = tokio::time::timeout(patience, events.next()).await.ok();
        // One look for all that came meanwhile.
        while let Some(event) = next {
            match event {
                Some(event) => event?,
                None => return Ok(0),
            };
            next = events.next().now_or_never();
        }
    }
}

/// Which events to follow for a noun, and how long not to look when none comes.
fn about(noun: &Noun) -> (Vec<(String, String)>, Duration) {
    match noun.home {
        Home::Region(_) => {
            let patience = if noun.name == "task" { UNTOLD } else { TOLD };
            (vec![("noun".to_owned(), noun.name.to_owned())], patience)
        }
        _ => (Vec::new(), UNTOLD),
    }
}

/// What makes a terminal show only the newest.
fn clear() -> &'static str {
    if std::io::stdout().is_terminal() {
        "\x1b[2J\x1b[H"
    } else {
        ""
    }
}
