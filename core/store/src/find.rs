//! Looking one row up for a caller: by id or name, within reach, or not at all.

use std::ops::Deref;

use auth::{Cx, Reach};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use types::{Error, Result};

use crate::{
    Row, Scoped, Store,
    row::{column, must},
};

/// Proof that the caller may do what it was looked up for. Mutations take this, not an id.
pub struct Found<E: EntityTrait> {
    row: E::Model,
}

impl<E: EntityTrait> Found<E> {
    pub fn into_inner(self) -> E::Model {
        self.row
    }
}

impl<E: EntityTrait> Deref for Found<E> {
    type Target = E::Model;
    fn deref(&self) -> &E::Model {
        &self.row
    }
}

impl Store {
    /// The row with this id or name, if the caller may do `verb` to it.
    ///
    /// A name is looked for in the caller's own project first.
    /// Errors: `NotFound` when it is outside what the caller may see, `Denied` when it is visible but `verb` is not
    /// allowed, `Conflict` when a name fits several rows.
    pub async fn find<E: Row>(&self, cx: &Cx, verb: &str, key: &str) -> Result<Found<E>> {
        let missing = || Error::not_found(E::NOUN, key);
        let sight = cx.reach(E::NOUN, "get");
        let Some(visible) = within::<E>(&sight) else {
            return Err(missing());
        };
        let by_id = self.one(visible.clone().filter(must::<E>("id").eq(key))).await?;
        let row = match by_id {
            Some(row) => row,
            None => self.by_name::<E>(cx, visible, key).await?.ok_or_else(missing)?,
        };
        let allowed = cx.reach(E::NOUN, verb);
        if !covers::<E>(&allowed, &row) {
            return Err(Error::denied(format!("you may see {} `{key}` but not {verb} it", E::NOUN)).on(E::NOUN, key));
        }
        Ok(Found { row })
    }

    async fn by_name<E: Row>(&self, cx: &Cx, visible: Select<E>, name: &str) -> Result<Option<E::Model>> {
        let Some(column_name) = column::<E>("name") else {
            return Ok(None);
        };
        let named = visible.filter(column_name.eq(name));
        if E::SCOPED == Scoped::Project
            && let Ok((project, _)) = cx.project()
        {
            let own = named.clone().filter(must::<E>("project_id").eq(project.as_str()));
            if let Some(row) = self.one(own).await? {
                return Ok(Some(row));
            }
        }
        let mut rows = self.all(named.limit(2)).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            _ => Err(
                Error::conflict(format!("several of what you can see are called `{name}`: use an id"))
                    .code("name_ambiguous"),
            ),
        }
    }
}

/// The rows of this entity within reach; `None` when there cannot be any.
pub(crate) fn within<E: Row>(reach: &Reach) -> Option<Select<E>> {
    let mut select = E::find();
    if let Some(tombstone) = E::TOMBSTONE {
        select = select.filter(must::<E>("state").ne(tombstone));
    }
    match (reach, E::SCOPED) {
        (Reach::Nothing, _) => None,
        (Reach::Everything, _) => Some(select),
        (_, Scoped::Shared) => None,
        (Reach::Project(id), Scoped::Project) => Some(select.filter(must::<E>("project_id").eq(id.as_str()))),
        (Reach::Domain(id), Scoped::Project) => Some(select.filter(must::<E>("domain_id").eq(id.as_str()))),
    }
}

fn covers<E: Row>(reach: &Reach, row: &E::Model) -> bool {
    use sea_orm::ModelTrait;
    let text = |name: &str| match row.get(must::<E>(name)) {
        sea_orm::Value::String(Some(text)) => Some(text.to_string()),
        _ => None,
    };
    match (reach, E::SCOPED) {
        (Reach::Nothing, _) => false,
        (Reach::Everything, _) => true,
        (_, Scoped::Shared) => false,
        (Reach::Project(id), Scoped::Project) => text("project_id").as_deref() == Some(id.as_str()),
        (Reach::Domain(id), Scoped::Project) => text("domain_id").as_deref() == Some(id.as_str()),
    }
}
