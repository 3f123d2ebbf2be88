//! One definition per collection: what it is called, how it looks, who may see it. The five routes follow from it.

mod read;
mod write;

use auth::Reach;
use axum::{Router, routing::get};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel};
use serde_json::{Map, Value};
use store::{Tx, row::column};
use types::{Result, Timestamp};

use crate::{State, attributes::Attributes, caller::Caller, front::Origin};

pub use read::{collection, entity, find};
pub use write::{event, finish, replace};

/// A kind of thing keystone keeps. By convention its table has the columns `id`, `extra` and `created_at`.
pub trait Resource:
    EntityTrait<Model: IntoActiveModel<Self::ActiveModel> + Clone + Send + Sync, ActiveModel: Send>
{
    /// The word in bodies and policies, for example `user`.
    const NOUN: &'static str;
    /// The word in paths and lists, for example `users`.
    const PLURAL: &'static str;
    /// Columns a list can be filtered by.
    const FILTERS: &'static [&'static str];
    /// The column that says which domain a row belongs to; rows without one belong to the installation.
    const DOMAIN: Option<&'static str> = None;
    /// The column that says which project a row belongs to.
    const PROJECT: Option<&'static str> = None;
    /// Whether anybody who is logged in may read it: the catalog.
    const PUBLIC: bool = false;

    /// A row with nothing set yet, made by this caller.
    fn blank(caller: &Caller, now: Timestamp) -> Self::Model;

    /// Takes what a create or update says.
    fn apply(row: &mut Self::Model, attributes: &mut Attributes, what: Change) -> Result<()>;

    fn id(row: &Self::Model) -> String;

    fn name(row: &Self::Model) -> String;

    /// The attributes as they are shown, without links.
    fn view(row: &Self::Model, origin: &Origin) -> Map<String, Value>;

    /// Whether the caller may read this row because it is their own, whatever their roles.
    fn is_own(_caller: &Caller, _id: &str) -> bool {
        false
    }

    /// Work that must not happen inside a transaction, such as hashing.
    fn prepare(_state: &State, _attributes: &mut Attributes) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Before a row is stored: what it refers to must exist, what it ended must be revoked.
    fn storing(
        _tx: &mut Tx,
        _caller: &Caller,
        _before: Option<&Self::Model>,
        _row: &mut Self::Model,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Before a row is deleted: what hangs on it goes too.
    fn deleting(_tx: &mut Tx, _caller: &Caller, _row: &Self::Model) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// Whether attributes make a new row or change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Create,
    Update,
}

pub fn routes<E: Resource>() -> Router<State> {
    let many = get(read::list::<E>).post(write::create::<E>);
    let one = get(read::show::<E>)
        .patch(write::update::<E>)
        .delete(write::delete::<E>);
    Router::new()
        .route(&format!("/{}", E::PLURAL), many)
        .route(&format!("/{}/{{id}}", E::PLURAL), one)
}

/// The rows within reach, as a condition; None when there are none.
pub fn within<E: Resource>(reach: &Reach) -> Option<Condition> {
    let owned = |name: Option<&str>, id: &str| {
        let column = column::<E>(name?)?;
        Some(Condition::all().add(column.eq(id)))
    };
    match reach {
        Reach::Everything => Some(Condition::all()),
        Reach::Nothing => None,
        Reach::Domain(id) => owned(E::DOMAIN, id.as_str()),
        Reach::Project(id) => owned(E::PROJECT, id.as_str()),
    }
}

/// Whether this row is within reach.
pub fn covers<E: Resource>(reach: &Reach, row: &E::Model) -> bool {
    use sea_orm::ModelTrait;
    let owner = |name: Option<&str>| match name.and_then(column::<E>).map(|column| row.get(column)) {
        Some(sea_orm::Value::String(Some(text))) => Some(text.to_string()),
        _ => None,
    };
    match reach {
        Reach::Everything => true,
        Reach::Nothing => false,
        Reach::Domain(id) => owner(E::DOMAIN).as_deref() == Some(id.as_str()),
        Reach::Project(id) => owner(E::PROJECT).as_deref() == Some(id.as_str()),
    }
}
