//! What a noun of the API is: a table, a view, and the verbs it has. Everything else follows in `noun`.

use std::future::Future;

use auth::Cx;
use serde::{Serialize, de::DeserializeOwned};
use store::{Found, Row, Store, Tx};
use types::{Result, TaskId};
use utoipa::ToSchema;

/// What a service's handlers share. Cheap to clone.
pub trait App: Clone + Send + Sync + 'static {
    fn store(&self) -> &Store;
}

/// A noun that can be listed and shown.
pub trait Resource<A: App>: Row {
    /// The plural in paths: `servers`.
    const PATH: &'static str;
    /// One sentence for the OpenAPI document.
    const ABOUT: &'static str;
    type View: Serialize + ToSchema + Send + 'static;

    /// The views of a page of rows, in order. One call for all, so that what they refer to is fetched together.
    fn views(app: &A, cx: &Cx, rows: Vec<Self::Model>) -> impl Future<Output = Result<Vec<Self::View>>> + Send;
}

/// A row that was just made or changed, and the task that goes on with it.
pub struct Made<E: Row> {
    pub row: E::Model,
    pub task: Option<TaskId>,
    /// Nothing was changed: the same was asked for before, and `task` is at it.
    pub joined: bool,
}

impl<E: Row> Made<E> {
    /// Nothing more happens to it.
    pub fn now(row: E::Model) -> Self {
        Self {
            row,
            task: None,
            joined: false,
        }
    }

    pub fn by(task: TaskId, row: E::Model) -> Self {
        Self {
            row,
            task: Some(task),
            joined: false,
        }
    }

    /// See [`task::Started::Joined`]. No event but `task.joined` tells of it.
    pub fn joined(task: TaskId, row: E::Model) -> Self {
        Self {
            row,
            task: Some(task),
            joined: true,
        }
    }
}

/// A noun that can be created.
pub trait Create<A: App>: Resource<A> {
    type Input: DeserializeOwned + Serialize + ToSchema + Send + 'static;
    /// The input with everything it refers to looked up.
    type Ready: Send;

    /// Checks and looks up, before any transaction.
    fn ready(app: &A, cx: &Cx, input: Self::Input) -> impl Future<Output = Result<Self::Ready>> + Send;

    /// Writes rows, quota and task into one transaction.
    fn create(app: &A, cx: &Cx, tx: &mut Tx, ready: Self::Ready) -> impl Future<Output = Result<Made<Self>>> + Send;
}

/// A noun whose attributes can be changed.
pub trait Update<A: App>: Resource<A> {
    type Input: DeserializeOwned + Serialize + ToSchema + Send + 'static;

    /// Changes the row if its version is still `found.version`; `Conflict` otherwise.
    fn update(
        app: &A,
        cx: &Cx,
        tx: &mut Tx,
        found: Found<Self>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Model>> + Send;
}

/// A noun that can be deleted: at once, or by a task.
pub trait Delete<A: App>: Resource<A> {
    /// Checks what must be asked elsewhere, before any transaction.
    fn ready(_app: &A, _cx: &Cx, _found: &Found<Self>) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    fn delete(app: &A, cx: &Cx, tx: &mut Tx, found: Found<Self>) -> impl Future<Output = Result<Made<Self>>> + Send;
}
