//! `--watch`: what was shown is shown again when it has changed; the event stream says when to look.

use std::{io::IsTerminal, pin::pin, time::Duration};

use futures::StreamExt;
use isobar_sdk::Follow;
use serde_json::Value;

use crate::{
    failure::Failure,
    noun::{Cx, Done, Home},
    output::{self, Shape},
};

/// Changes that no event tells of are noticed after this long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Shows what `fetch` finds, once or, with `--watch`, until interrupted.
pub async fn shown<F>(cx: Cx<'_>, shape: Shape, fetch: F) -> Done
where
    F: AsyncFn() -> Result<Vec<Value>, Failure>,
{
    if !cx.flag("watch") {
        return cx.app.output.print(cx.noun, shape, fetch().await?).map(|()| 0);
    }
    let follow = Follow {
        since: None,
        filters: match cx.noun.home {
            Home::Region(_) => vec![("noun".to_owned(), cx.noun.name.to_owned())],
            _ => Vec::new(),
        },
    };
    let mut events = pin!(cx.app.client()?.events(follow));
    let mut last = String::new();
    loop {
        let copy = if matches!(shape, Shape::One) {
            Shape::One
        } else {
            Shape::Many
        };
        let text = cx.app.output.render(cx.noun, copy, fetch().await?)?;
        if text != last {
            let clear = if std::io::stdout().is_terminal() {
                "\x1b[2J\x1b[H"
            } else {
                ""
            };
            output::write(&format!("{clear}{text}"))?;
            last = text;
        }
        match tokio::time::timeout(LOOK_AGAIN, events.next()).await {
            Ok(Some(Err(error))) => return Err(error.into()),
            Ok(None) => return Ok(0),
            Ok(Some(Ok(_))) | Err(_) => {}
        }
    }
}
