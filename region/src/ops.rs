//! `/ops`: what an operator looks at first, and the queues that an operator holds back.

use auth::{Cx, Reach};
use axum::{
    Json, Router,
    extract::State as Get,
    routing::{get, post},
};
use task::{
    load, pause,
    row::{pause as pauses, reconciler, setback},
};
use types::{Error, Result, Timestamp, api::ops as api};
use web::{Caller, Input, Problem, docs::Operation, query::Plain};

use crate::{Routes, State, setup};

/// The longest reason, in bytes.
const LONGEST: usize = 1000;

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod::{Get, Post};
    let router = Router::new()
        .route("/ops", get(show))
        .route("/ops/pause", post(hold))
        .route("/ops/resume", post(release));
    let view = |method, path, id, about| {
        let operation = Operation::new(method, path, id, "operations", about);
        operation.answers::<api::View>("200", "as it is now")
    };
    let operations = vec![
        view(
            Get,
            "/ops",
            "queue_list",
            "Queues, what is paused, workers and reconcilers, for operators.",
        ),
        view(
            Post,
            "/ops/pause",
            "queue_pause",
            "No worker takes new tasks of this kind; those under way go on.",
        )
        .takes::<api::Pause>(),
        view(
            Post,
            "/ops/resume",
            "queue_resume",
            "Workers take tasks of this kind again.",
        )
        .takes::<api::Pause>(),
    ];
    (router, operations)
}

async fn show(Get(state): Get<State>, Caller(cx): Caller, _: Plain) -> Result<Json<api::View>, Problem> {
    operator(&cx, "list", "look at the queues")?;
    page(&state).await
}

async fn hold(
    Get(state): Get<State>,
    Caller(cx): Caller,
    _: Plain,
    Input(input): Input<api::Pause>,
) -> Result<Json<api::View>, Problem> {
    operator(&cx, "pause", "pause a queue")?;
    known(&input.kind)?;
    reason(&input.reason)?;
    pause::pause(&cx, &state.store, &input.kind, &input.reason).await?;
    page(&state).await
}

async fn release(
    Get(state): Get<State>,
    Caller(cx): Caller,
    _: Plain,
    Input(input): Input<api::Pause>,
) -> Result<Json<api::View>, Problem> {
    operator(&cx, "resume", "resume a queue")?;
    reason(&input.reason)?;
    pause::resume(&cx, &state.store, &input.kind, &input.reason).await?;
    page(&state).await
}

fn operator(cx: &Cx, verb: &str, what: &str) -> Result<()> {
    match cx.reach("queue", verb) {
        Reach::Everything => Ok(()),
        _ => Err(Error::denied(format!("only an administrator may {what}"))),
    }
}

fn known(kind: &str) -> Result<()> {
    let names = setup::workflows().names();
    if kind == pause::ALL || names.contains(&kind) {
        return Ok(());
    }
    let names = names.join(", ");
    Err(Error::invalid(format!(
        "there is no workflow `{kind}`: use `{}` or one of {names}",
        pause::ALL
    ))
    .code("bad_kind"))
}

/// Why an operator decided so: it must say something, and it is kept.
pub fn reason(text: &str) -> Result<()> {
    match text.trim().len() {
        0 => Err(Error::invalid("the reason is empty: say why in a few words").code("reason_needed")),
        1..=LONGEST => Ok(()),
        long => Err(Error::invalid(format!(
            "the reason has {long} bytes: it is at most {LONGEST} long"
        ))),
    }
}

async fn page(state: &State) -> Result<Json<api::View>, Problem> {
    let store = &state.store;
    let setbacks = load::setbacks(store).await?;
    let reconcilers = load::reconcilers(store).await?.into_iter();
    Ok(Json(api::View {
        queues: load::queues(store).await?,
        paused: pause::paused(store).await?.into_iter().map(paused).collect(),
        workers: load::workers(store).await?,
        reconcilers: reconcilers.map(|row| reconciler(row, &setbacks)).collect(),
    }))
}

fn paused(row: pauses::Model) -> api::Paused {
    api::Paused {
        kind: row.kind,
        actor: row.actor,
        reason: row.reason,
        since: row.since,
    }
}

/// `setbacks` of all reconcilers, the worst first.
fn reconciler(row: reconciler::Model, setbacks: &[setback::Model]) -> api::Reconciler {
    let held: Vec<_> = setbacks.iter().filter(|held| held.reconciler == row.name).collect();
    let running = row.owner.is_some() && row.due_at > Timestamp::now();
    let rests = row.owner.is_none();
    let whole = row
        .started_at
        .zip(row.ended_at)
        .filter(|(from, to)| rests && to >= from);
    api::Reconciler {
        name: row.name,
        running,
        started_at: row.started_at,
        ended_at: row.ended_at,
        seconds: whole.map(|(from, to)| to.since(from).as_secs_f64()),
        next_at: rests.then_some(row.due_at),
        failures: row.failures,
        error: row.error.map(|json| json.0),
        held_back: i64::try_from(held.len()).unwrap_or(i64::MAX),
        worst: held.first().map(|held| worst(held)),
    }
}

fn worst(row: &setback::Model) -> api::HeldBack {
    let times = match row.failures {
        1 => "once".to_owned(),
        many => format!("{many} times in a row"),
    };
    api::HeldBack {
        resource: row.resource.clone(),
        failures: row.failures,
        since: row.since,
        next_at: row.due_at,
        text: format!("{} failed {times}: {}", row.name, row.error.0.chain()),
    }
}
