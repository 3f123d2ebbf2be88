//! Which images a caller sees, and proof that a caller may do something to one.

use std::ops::Deref;

use auth::{Cx, Reach};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use types::{Error, ProjectId, Result};

use crate::{
    State,
    image::{self, Column, NOUN, Visibility},
    member,
};

/// An image that the caller may do to what it was looked up for. Mutations take this.
pub struct Found(image::Model);

impl Found {
    pub fn into_inner(self) -> image::Model {
        self.0
    }
}

impl Deref for Found {
    type Target = image::Model;
    fn deref(&self) -> &image::Model {
        &self.0
    }
}

/// The image, if the caller sees it: its own, public, community, or shared with its project.
pub async fn visible(state: &State, cx: &Cx, id: &str) -> Result<image::Model> {
    let missing = || Error::not_found(NOUN, id);
    let sight = sight(cx, "get").ok_or_else(missing)?;
    let select = image::Entity::find().filter(Column::Id.eq(id)).filter(sight);
    state.store.one(select).await?.ok_or_else(missing)
}

/// The image, if the caller's project may do `verb` to it.
///
/// Errors: `NotFound` when the caller does not see it, `Denied` when it does.
pub async fn owned(state: &State, cx: &Cx, verb: &str, id: &str) -> Result<Found> {
    let image = visible(state, cx, id).await?;
    let reach = cx.reach(NOUN, verb);
    if !reach.covers(Some(&image.project_id), Some(&image.domain_id)) {
        return Err(Error::denied(format!("you may see image `{id}` but not {verb} it")).on(NOUN, id));
    }
    Ok(Found(image))
}

/// The image, if the caller sees it and may do `verb`, wherever it belongs: what a download asks.
pub async fn readable(state: &State, cx: &Cx, verb: &str, id: &str) -> Result<Found> {
    let image = visible(state, cx, id).await?;
    if cx.reach(NOUN, verb).is_nothing() {
        return Err(Error::denied(format!("you may see image `{id}` but not {verb} it")).on(NOUN, id));
    }
    Ok(Found(image))
}

/// Rows the caller sees by id; `None` when there cannot be any.
fn sight(cx: &Cx, verb: &str) -> Option<Condition> {
    let reach = cx.reach(NOUN, verb);
    if reach.is_nothing() {
        return None;
    }
    let open = Column::Visibility.is_in([Visibility::Public.as_str(), Visibility::Community.as_str()]);
    let mut any = own(&reach).add(open);
    if let Ok((project, _)) = cx.project() {
        any = any.add(shared_with(project, &[]));
    }
    Some(any)
}

/// Rows that belong to the caller.
pub fn own(reach: &Reach) -> Condition {
    let any = Condition::any();
    match reach {
        Reach::Nothing => any.add(Column::Id.is_null()),
        Reach::Everything => any.add(Column::Id.is_not_null()),
        Reach::Domain(id) => any.add(Column::DomainId.eq(id.as_str())),
        Reach::Project(id) => any.add(Column::ProjectId.eq(id.as_str())),
    }
}

/// Rows shared with this project whose membership has one of these states; any when there are none.
pub fn shared_with(project: &ProjectId, states: &[&str]) -> Condition {
    let mut members = member::Entity::find()
        .select_only()
        .column(member::Column::ImageId)
        .filter(member::Column::MemberId.eq(project.as_str()));
    if !states.is_empty() {
        members = members.filter(member::Column::Status.is_in(states.iter().copied()));
    }
    let members: sea_orm::sea_query::SelectStatement = members.into_query();
    Condition::all()
        .add(Column::Visibility.eq(Visibility::Shared.as_str()))
        .add(Column::Id.in_subquery(members))
}
