//! Waiting for a task or a guest: the server answers when there is something to tell, so nothing is polled in haste.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use futures::StreamExt;
use reqwest::Method;
use types::{
    Kind, TaskId,
    api::{server, task},
    states,
};

use crate::{Client, Error, Follow, Result, Service, call::segment};

/// What one question may wait for at the server.
const LONGEST: Duration = Duration::from_secs(30);

/// When to stop waiting.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    end: Instant,
    given: Duration,
    slice: Duration,
}

impl Deadline {
    pub fn after(given: Duration) -> Self {
        Self {
            end: Instant::now() + given,
            given,
            slice: LONGEST,
        }
    }

    /// Hears about progress at least this often, for people who watch.
    pub fn looking_every(mut self, slice: Duration) -> Self {
        self.slice = slice.clamp(Duration::from_secs(1), LONGEST);
        self
    }

    /// What is left, or `None` when it has passed.
    pub fn left(&self) -> Option<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// How long was given.
    pub fn given(&self) -> Duration {
        self.given
    }
}

impl Client {
    /// Waits until a task is over, telling `on_progress` what it is doing.
    ///
    /// - The task as it ended; whether it succeeded is in its state ([`Client::settle`] makes failure an error).
    /// - A task that needs an operator counts as over: it does not go on by itself.
    /// - [`Kind::Timeout`] naming the task when the deadline passes; the task goes on.
    pub async fn wait_for(
        &self,
        id: TaskId,
        deadline: Deadline,
        mut on_progress: impl FnMut(&task::View),
    ) -> Result<task::View> {
        loop {
            let Some(left) = deadline.left() else {
                let message = format!("{id} was not over after {:?}; it goes on", deadline.given());
                return Err(types::Error::new(Kind::Timeout, message).on("task", id).into());
            };
            let asked = Instant::now();
            let slice = left.min(deadline.slice).max(Duration::from_secs(1));
            let path = format!("tasks/{}", segment(&id.to_string()));
            let call = self.call(Method::GET, Service::Region, path);
            let call = call
                .query("wait", format!("{}s", slice.as_secs()))
                .timeout(slice + LONGEST);
            let task: task::View = call.receive().await?;
            on_progress(&task);
            if is_over(task.state) {
                return Ok(task);
            }
            // A server that answers early must not be asked in a tight loop.
            let pause = Duration::from_millis(250).saturating_sub(asked.elapsed());
            tokio::time::sleep(pause.min(left)).await;
        }
    }

    /// Waits until a task has succeeded; its failure is the error. Without a task there is nothing to wait for.
    pub async fn settle(
        &self,
        id: Option<TaskId>,
        deadline: Deadline,
        on_progress: impl FnMut(&task::View),
    ) -> Result<()> {
        match id {
            Some(id) => outcome(&self.wait_for(id, deadline, on_progress).await?),
            None => Ok(()),
        }
    }
}

impl Client {
    /// Waits until the guest of a server that runs has given a sign of life since its power-on.
    ///
    /// - [`Kind::Timeout`] when the region calls it silent, which it does after five minutes, or when the deadline passes.
    /// - [`Kind::Unsupported`] when the server's cloud cannot tell.
    /// - [`Kind::Conflict`] when the server is not running: then no guest will come up.
    pub async fn wait_for_guest(&self, server: &str, deadline: Deadline) -> Result<server::View> {
        let follow = Follow {
            since: None,
            filters: vec![("noun".to_owned(), "server".to_owned())],
        };
        let mut events = pin!(self.events_now(follow).await?);
        loop {
            let seen = self.servers().get(server).await?;
            if let Some(known) = guest(&seen) {
                return known.map(|()| seen);
            }
            let Some(left) = deadline.left() else {
                let message = format!(
                    "the guest of server `{}` gave no sign of life within {:?}",
                    seen.name,
                    deadline.given()
                );
                return Err(types::Error::new(Kind::Timeout, message).on("server", seen.id).into());
            };
            let told = async {
                while let Some(event) = events.next().await {
                    if event?.resource_id == seen.id.to_string() {
                        break;
                    }
                }
                Ok::<_, Error>(())
            };
            // Looks again at the latest when the longest question would have been answered.
            if let Ok(told) = tokio::time::timeout(left.min(LONGEST), told).await {
                told?;
            }
        }
    }
}

/// What is known of a guest for good; none while it may still come up.
fn guest(server: &server::View) -> Option<Result<()>> {
    let fail = |kind, code: &'static str, text: &str| {
        let error = types::Error::new(kind, format!("server `{}` {text}", server.name));
        Some(Err(error.code(code).on("server", server.id).into()))
    };
    match (server.state, server.guest) {
        (_, Some(states::Guest::Up)) => Some(Ok(())),
        (states::Server::Stopped | states::Server::Failed | states::Server::Deleting, _) => fail(
            Kind::Conflict,
            "wrong_state",
            &format!("is {}: its guest will not come up", server.state),
        ),
        (_, Some(states::Guest::Silent)) => fail(
            Kind::Timeout,
            "guest_silent",
            "runs, but its guest gave no sign of life for five minutes: read its console",
        ),
        (_, Some(states::Guest::Unknown)) => fail(
            Kind::Unsupported,
            "guest_unknown",
            "runs, but its cloud cannot tell whether its guest is up",
        ),
        (_, Some(states::Guest::Booting) | None) => None,
    }
}

fn is_over(state: states::Task) -> bool {
    state.is_over() || state == states::Task::NeedsOperator
}

/// A finished task's success, or the reason it has none.
fn outcome(task: &task::View) -> Result<()> {
    let about = format!("{} of {} `{}`", task.kind, task.noun, task.resource_name);
    let error = match task.state {
        states::Task::Succeeded => return Ok(()),
        states::Task::Cancelled => types::Error::new(Kind::Cancelled, format!("{about} was cancelled")),
        states::Task::NeedsOperator => stopped(task, format!("{about} stopped half way and needs an operator")),
        _ => stopped(task, format!("{about} failed")),
    };
    Err(Error::from(types::Error {
        details: serde_json::json!({ "task": task.id }),
        ..error
    }))
}

fn stopped(task: &task::View, sentence: String) -> types::Error {
    match &task.error {
        Some(error) => error.clone().wrap(sentence),
        None => types::Error::broken(sentence),
    }
}
