//! Listing and showing: only rows within the caller's reach are selected.

use auth::Reach;
use axum::{
    Extension,
    extract::{Path, State as FromState},
};
use sea_orm::{EntityTrait, QueryFilter, Select};
use serde_json::{Value, json};
use store::row::column;
use types::{Error, Result};

use super::{Resource, within};
use crate::{
    State,
    answer::{Answer, ok},
    caller::{Caller, refused},
    front::Origin,
    query::{self, Page, Parameters, Query},
};

pub async fn list<E: Resource>(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    parameters: Parameters,
) -> Answer {
    let query = Query::new(parameters);
    let Some(visible) = within::<E>(&sight::<E>(&caller, "list")) else {
        return Err(refused(E::NOUN, "list").into());
    };
    Ok(ok(collection::<E>(
        &state,
        &origin,
        E::find().filter(visible),
        &query,
        &format!("/{}", E::PLURAL),
    )
    .await?))
}

/// One page of a selection, in the envelope of lists.
pub async fn collection<E: Resource>(
    state: &State,
    origin: &Origin,
    select: Select<E>,
    query: &Query,
    path: &str,
) -> Result<Value> {
    let select = query::filter(select, query, E::FILTERS);
    let page: Page<E::Model> = query::page(select, query, E::id, |select| state.store().all(select)).await?;
    let items: Vec<Value> = page.rows.iter().map(|row| entity::<E>(row, origin)).collect();
    let own = origin.link(path);
    let next = page.next.map(|query| format!("{own}?{query}"));
    let mut body = json!({ E::PLURAL: items, "links": { "next": next, "self": own, "previous": null } });
    if page.truncated {
        body["truncated"] = true.into();
    }
    Ok(body)
}

/// One row as it is shown, with its link.
pub fn entity<E: Resource>(row: &E::Model, origin: &Origin) -> Value {
    let mut view = E::view(row, origin);
    let id = E::id(row);
    let own = origin.link(&format!("/{}/{id}", E::PLURAL));
    view.insert("id".to_owned(), id.into());
    view.insert("links".to_owned(), json!({ "self": own }));
    Value::Object(view)
}

pub async fn show<E: Resource>(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Path(id): Path<String>,
) -> Answer {
    let row = find::<E>(&state, &caller, &id).await?;
    Ok(ok(json!({ E::NOUN: entity::<E>(&row, &origin) })))
}

/// A row the caller may read. `NotFound` when there is none within reach, `Denied` when the caller can read none at all.
pub async fn find<E: Resource>(state: &State, caller: &Caller, id: &str) -> Result<E::Model> {
    let reach = match E::is_own(caller, id) {
        true => Reach::Everything,
        false => sight::<E>(caller, "get"),
    };
    let Some(visible) = within::<E>(&reach) else {
        return Err(refused(E::NOUN, "get"));
    };
    let select = by_id::<E>(id)?.filter(visible);
    state
        .store()
        .one(select)
        .await?
        .ok_or_else(|| Error::not_found(E::NOUN, id))
}

pub fn by_id<E: EntityTrait>(id: &str) -> Result<Select<E>> {
    use sea_orm::ColumnTrait;
    let column = column::<E>("id").ok_or_else(|| Error::broken("this table has no id"))?;
    Ok(E::find().filter(column.eq(id)))
}

fn sight<E: Resource>(caller: &Caller, verb: &str) -> Reach {
    match E::PUBLIC {
        true => Reach::Everything,
        false => caller.cx.reach(E::NOUN, verb),
    }
}
