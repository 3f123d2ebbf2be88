//! The routes of one noun: list, get, create, update, delete and its actions, with their OpenAPI description.
//!
//! ```text
//! noun::<disk::Entity>().create().update().delete().act("resize", disk::resize)
//! ```
//! Every handler begins with a scoped look-up, so a row outside the caller's reach is never touched.

use std::{future::Future, marker::PhantomData};

use auth::Cx;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use store::{Event, Found, Row, Tx, row::column};
use types::{
    Error, Result, TaskId,
    api::{Accepted, Items},
};
use utoipa::ToSchema;

use crate::{
    App, Caller, Create, Delete, Input, Made, Problem, Resource, Update, accepted,
    docs::{self, Operation},
    input,
    query::{Listing, Plain, Wishes},
};

/// A noun under construction.
pub struct Noun<A: App, E: Resource<A>> {
    router: Router<A>,
    operations: Vec<Operation>,
    row: PhantomData<fn() -> (A, E)>,
}

/// Begins a noun with `list` and `get`.
pub fn noun<A: App, E: Resource<A>>() -> Noun<A, E> {
    let router = Router::new()
        .route(&format!("/{}", E::PATH), get(list::<A, E>))
        .route(&format!("/{}/{{key}}", E::PATH), get(show::<A, E>));
    let operations = vec![
        docs::list::<E::View>(E::NOUN, E::PATH, E::ABOUT),
        docs::show::<E::View>(E::NOUN, E::PATH),
    ];
    Noun {
        router,
        operations,
        row: PhantomData,
    }
}

impl<A: App, E: Resource<A>> Noun<A, E> {
    fn with(mut self, path: &str, route: axum::routing::MethodRouter<A>, operation: Operation) -> Self {
        self.router = self.router.route(path, route);
        self.operations.push(operation);
        self
    }

    pub fn create(self) -> Self
    where
        E: Create<A>,
    {
        let operation = docs::create::<E::Input, E::View>(E::NOUN, E::PATH);
        self.with(&format!("/{}", E::PATH), post(create::<A, E>), operation)
    }

    pub fn update(self) -> Self
    where
        E: Update<A>,
    {
        let operation = docs::update::<<E as Update<A>>::Input, E::View>(E::NOUN, E::PATH);
        self.with(&format!("/{}/{{key}}", E::PATH), patch(update::<A, E>), operation)
    }

    pub fn delete(self) -> Self
    where
        E: Delete<A>,
    {
        let operation = docs::delete::<E::View>(E::NOUN, E::PATH);
        self.with(&format!("/{}/{{key}}", E::PATH), delete(remove::<A, E>), operation)
    }

    /// `POST /<path>/{key}/<verb>`: changes the found row, in one transaction, and may start a task.
    pub fn act<I, F, R>(self, verb: &'static str, act: F) -> Self
    where
        I: DeserializeOwned + ToSchema + Send + 'static,
        F: Fn(A, Cx, Found<E>, I) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<(Tx, Made<E>)>> + Send + 'static,
    {
        let handler = move |State(app): State<A>,
                            Caller(cx): Caller,
                            Path(key): Path<String>,
                            RawQuery(raw): RawQuery,
                            Input(body): Input<I>| {
            let act = act.clone();
            async move {
                let wishes = Wishes::parse(raw.as_deref())?;
                let found = app.store().find::<E>(&cx, verb, &key).await?;
                let (mut tx, made) = act(app.clone(), cx.clone(), found, body).await?;
                if !made.joined {
                    announce::<E>(&cx, &mut tx, &made.row, verb).await?;
                }
                if wishes.dry_run {
                    return rehearsed(&app, &cx, tx, made).await;
                }
                tx.commit().await?;
                respond(&app, &cx, made, wishes).await
            }
        };
        let operation = docs::act::<I, E::View>(E::NOUN, E::PATH, verb);
        self.with(&format!("/{}/{{key}}/{verb}", E::PATH), post(handler), operation)
    }

    /// A route of its own kind below the noun, with its description.
    pub fn route(self, path: &str, route: axum::routing::MethodRouter<A>, operation: Operation) -> Self {
        self.with(path, route, operation)
    }

    pub fn into_parts(self) -> (Router<A>, Vec<Operation>) {
        (self.router, self.operations)
    }
}

async fn list<A: App, E: Resource<A>>(
    State(app): State<A>,
    Caller(cx): Caller,
    RawQuery(raw): RawQuery,
) -> Result<Json<Items<Value>>, Problem> {
    let listing = Listing::parse(raw.as_deref())?;
    let page = app.store().list::<E>(&cx, &listing.query).await?;
    let views = E::views(&app, &cx, page.items).await?;
    let items = views
        .into_iter()
        .map(|view| project(view, &listing.fields))
        .collect::<Result<_>>()?;
    Ok(Json(Items { items, next: page.next }))
}

async fn show<A: App, E: Resource<A>>(
    State(app): State<A>,
    Caller(cx): Caller,
    _: Plain,
    Path(key): Path<String>,
) -> Result<Response, Problem> {
    let found = app.store().find::<E>(&cx, "get", &key).await?;
    shown::<A, E>(&app, &cx, found.into_inner(), StatusCode::OK).await
}

async fn create<A: App, E: Create<A>>(
    State(app): State<A>,
    Caller(cx): Caller,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Bytes,
) -> Result<Response, Problem> {
    let wishes = Wishes::parse(raw.as_deref())?;
    allowed::<E>(&cx, "create")?;
    let key = Key::of::<E>(&cx, &headers, &body)?;
    if let Some(answer) = key.answered(app.store()).await? {
        return Ok(answer);
    }
    let made = make::<A, E>(&app, &cx, &key, &body, wishes).await;
    key.settle(app.store(), made).await
}

async fn make<A: App, E: Create<A>>(
    app: &A,
    cx: &Cx,
    key: &Key,
    body: &Bytes,
    wishes: Wishes,
) -> Result<Response, Problem> {
    let ready = E::ready(app, cx, input::parse(body)?).await?;
    let mut tx = app.store().begin().await?;
    let made = <E as Create<A>>::create(app, cx, &mut tx, ready).await?;
    announce::<E>(cx, &mut tx, &made.row, "created").await?;
    if wishes.dry_run {
        return rehearsed(app, cx, tx, made).await;
    }
    let view = only(E::views(app, cx, vec![made.row.clone()]).await?)?;
    let (status, answer) = match made.task {
        Some(task) => (
            StatusCode::ACCEPTED,
            json(&Accepted {
                item: view,
                task: Some(task),
            })?,
        ),
        None => (StatusCode::CREATED, json(&view)?),
    };
    key.remember(&tx, status, &answer).await?;
    tx.commit().await?;
    if made.task.is_some() && wishes.wait.is_some() {
        return respond(app, cx, made, wishes).await;
    }
    Ok((status, Json(answer)).into_response())
}

async fn update<A: App, E: Update<A>>(
    State(app): State<A>,
    Caller(cx): Caller,
    _: Plain,
    Path(key): Path<String>,
    headers: HeaderMap,
    Input(body): Input<<E as Update<A>>::Input>,
) -> Result<Response, Problem> {
    let found = app.store().find::<E>(&cx, "update", &key).await?;
    if let Some(expected) = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok()) {
        let version = text::<E>(&found, "version").unwrap_or_default();
        if expected.trim_matches('"') != version {
            let now = format!(
                "{} `{key}` has changed: it is at version {version}, not {expected}",
                E::NOUN
            );
            return Err(Error::conflict(now).code("version_mismatch").on(E::NOUN, &key).into());
        }
    }
    let mut tx = app.store().begin().await?;
    let row = <E as Update<A>>::update(&app, &cx, &mut tx, found, body).await?;
    announce::<E>(&cx, &mut tx, &row, "updated").await?;
    tx.commit().await?;
    shown::<A, E>(&app, &cx, row, StatusCode::OK).await
}

async fn remove<A: App, E: Delete<A>>(
    State(app): State<A>,
    Caller(cx): Caller,
    Path(key): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Problem> {
    let wishes = Wishes::parse(raw.as_deref())?;
    let found = app.store().find::<E>(&cx, "delete", &key).await?;
    <E as Delete<A>>::ready(&app, &cx, &found).await?;
    let mut tx = app.store().begin().await?;
    let made = <E as Delete<A>>::delete(&app, &cx, &mut tx, found).await?;
    let what = if made.task.is_some() { "deleting" } else { "deleted" };
    if !made.joined {
        announce::<E>(&cx, &mut tx, &made.row, what).await?;
    }
    if wishes.dry_run {
        return rehearsed(&app, &cx, tx, made).await;
    }
    tx.commit().await?;
    match made.task {
        Some(_) => respond(&app, &cx, made, wishes).await,
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// 202 with the task, after waiting for it if the caller wished so; 200 when nothing is left to do.
pub async fn respond<A: App, E: Resource<A>>(
    app: &A,
    cx: &Cx,
    made: Made<E>,
    wishes: Wishes,
) -> Result<Response, Problem> {
    let Some(task) = made.task else {
        return shown::<A, E>(app, cx, made.row, StatusCode::OK).await;
    };
    accepted::wait(app.store(), Some(task), wishes.wait).await?;
    let id = text::<E>(&made.row, "id").unwrap_or_default();
    let row = match wishes.wait {
        Some(_) => fresh::<E>(app.store(), &id).await?.unwrap_or(made.row),
        None => made.row,
    };
    let item = only(E::views(app, cx, vec![row]).await?)?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { item, task: Some(task) })).into_response())
}

/// A dry run: everything was checked and written, and is now taken back. Answers what the object would have become.
async fn rehearsed<A: App, E: Resource<A>>(app: &A, cx: &Cx, tx: Tx, made: Made<E>) -> Result<Response, Problem> {
    drop(tx);
    let view = only(E::views(app, cx, vec![made.row]).await?)?;
    Ok((StatusCode::OK, [("x-isobar-dry-run", "true")], Json(view)).into_response())
}

/// The row as it is now, tombstones included.
async fn fresh<E: Row>(store: &store::Store, id: &str) -> Result<Option<E::Model>> {
    use store::sea_orm::{ColumnTrait, QueryFilter};
    let Some(column) = column::<E>("id") else {
        return Ok(None);
    };
    store.one(E::find().filter(column.eq(id))).await
}

async fn shown<A: App, E: Resource<A>>(
    app: &A,
    cx: &Cx,
    row: E::Model,
    status: StatusCode,
) -> Result<Response, Problem> {
    let version = text::<E>(&row, "version");
    let view = only(E::views(app, cx, vec![row]).await?)?;
    let mut response = (status, Json(view)).into_response();
    if let Some(tag) = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Whether the caller may do `verb` anywhere at all; where exactly is decided by the row's owner.
pub fn allowed<E: Row>(cx: &Cx, verb: &str) -> Result<()> {
    if cx.reach(E::NOUN, verb).is_nothing() {
        return Err(Error::denied(format!("you may not {verb} a {}", E::NOUN)));
    }
    Ok(())
}

/// Writes `<noun>.<what>` for a row, in the transaction that changed it.
pub async fn announce<E: Row>(cx: &Cx, tx: &mut Tx, row: &E::Model, what: &str) -> Result<()> {
    let get = |name: &str| text::<E>(row, name);
    let owner = match (get("project_id"), get("domain_id")) {
        (Some(project), Some(domain)) => Some((project.parse()?, domain.parse()?)),
        _ => None,
    };
    let mut data = serde_json::json!({});
    if let Some(state) = get("state") {
        data["state"] = state.into();
    }
    let event = Event {
        kind: format!("{}.{what}", E::NOUN),
        id: get("id").unwrap_or_default(),
        name: get("name").unwrap_or_default(),
        owner,
        data,
    };
    tx.event(cx, event).await
}

/// A column of a row as text, when it has that column and a value in it.
pub fn text<E: Row>(row: &E::Model, name: &str) -> Option<String> {
    use store::sea_orm::{ModelTrait, Value};
    match row.get(column::<E>(name)?) {
        Value::String(Some(text)) => Some(text.to_string()),
        Value::BigInt(Some(number)) => Some(number.to_string()),
        _ => None,
    }
}

fn only<T>(views: Vec<T>) -> Result<T> {
    views
        .into_iter()
        .next()
        .ok_or_else(|| Error::broken("a row has no view"))
}

pub fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|e| Error::broken("an answer could not be written").because(e))
}

fn project(view: impl Serialize, fields: &[String]) -> Result<Value> {
    let mut value = json(&view)?;
    if let (Value::Object(map), false) = (&mut value, fields.is_empty()) {
        if let Some(unknown) = fields.iter().find(|field| !map.contains_key(*field)) {
            return Err(Error::invalid(format!("there is no field `{unknown}`")).code("unknown_field"));
        }
        map.retain(|key, _| fields.contains(key));
    }
    Ok(value)
}

/// The caller's `Idempotency-Key`, if there is one.
pub struct Key {
    id: Option<String>,
    request: String,
}

impl Key {
    pub fn of<E: Row>(cx: &Cx, headers: &HeaderMap, body: &[u8]) -> Result<Self> {
        let Some(given) = headers.get("idempotency-key") else {
            return Ok(Self {
                id: None,
                request: String::new(),
            });
        };
        let given = given.to_str().ok().filter(|key| (1..=128).contains(&key.len()));
        let given = given.ok_or_else(|| Error::invalid("an Idempotency-Key has 1 to 128 printable characters"))?;
        let project = cx.project().map(|(id, _)| id.to_string()).unwrap_or_default();
        let id = format!("{}/{project}/{}/{given}", cx.who().user, E::NOUN);
        Ok(Self {
            id: Some(id),
            request: String::from_utf8_lossy(body).into_owned(),
        })
    }

    pub async fn answered(&self, store: &store::Store) -> Result<Option<Response>> {
        let Some(id) = &self.id else { return Ok(None) };
        Ok(store.answered(id, &self.request).await?.map(|row| {
            let status = u16::try_from(row.status)
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok());
            (status.unwrap_or(StatusCode::OK), Json(row.answer.0)).into_response()
        }))
    }

    /// What a create that was tried answers. A repeat that comes while the first is still at work is refused in some
    /// way (the name is taken, the last room is): it gets the first one's answer.
    pub async fn settle(&self, store: &store::Store, tried: Result<Response, Problem>) -> Result<Response, Problem> {
        let Err(problem) = tried else { return tried };
        match self.answered(store).await {
            Ok(Some(answer)) => Ok(answer),
            // Without that answer the reason stands, also when it cannot be read.
            _ => Err(problem),
        }
    }

    pub async fn remember(&self, tx: &Tx, status: StatusCode, answer: &Value) -> Result<()> {
        match &self.id {
            Some(id) => tx.remember(id, &self.request, status.as_u16(), answer.clone()).await,
            None => Ok(()),
        }
    }
}

/// The id of a task in a path.
pub fn task_id(text: &str) -> Result<TaskId> {
    text.parse().map_err(|_| Error::not_found("task", text))
}
