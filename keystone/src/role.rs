//! Roles: names that policies speak of.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, entity::prelude::*};
use serde_json::{Map, Value, json};
use store::{Store, Tx};
use types::{Json, Result, RoleId, Timestamp};

use crate::{
    assignment,
    attributes::Attributes,
    caller::Caller,
    front::Origin,
    resource::{Change, Resource},
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_role")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoleId,
    pub name: String,
    pub description: String,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Resource for Entity {
    const NOUN: &'static str = "role";
    const PLURAL: &'static str = "roles";
    const FILTERS: &'static [&'static str] = &["name"];

    fn blank(_caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: RoleId::new(),
            name: String::new(),
            description: String::new(),
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, _what: Change) -> Result<()> {
        attributes.set_name("name", 64, &mut row.name)?;
        attributes.set_text("description", &mut row.description)?;
        attributes
            .keep("domain_id", None)
            .map_err(|_| attributes.wrong("domain_id", "null: roles belong to the whole installation"))?;
        attributes.take("options");
        attributes.set_extra(&mut row.extra)?;
        match row.name.is_empty() {
            true => Err(attributes.wrong("name", "given")),
            false => Ok(()),
        }
    }

    fn id(row: &Model) -> String {
        row.id.to_string()
    }

    fn name(row: &Model) -> String {
        row.name.clone()
    }

    fn view(row: &Model, _origin: &Origin) -> Map<String, Value> {
        let mut view = row.extra.0.clone();
        view.insert("name".to_owned(), row.name.as_str().into());
        view.insert("description".to_owned(), row.description.as_str().into());
        view.insert("domain_id".to_owned(), Value::Null);
        view.insert("options".to_owned(), json!({}));
        view
    }

    /// A renamed role gives other rights: tokens that carry the old name end.
    async fn storing(tx: &mut Tx, _caller: &Caller, before: Option<&Model>, row: &mut Model) -> Result<()> {
        match before {
            Some(before) if before.name != row.name => assignment::end_holders(tx, before, Timestamp::now()).await,
            _ => Ok(()),
        }
    }

    async fn deleting(tx: &mut Tx, _caller: &Caller, row: &Model) -> Result<()> {
        assignment::end_holders(tx, row, Timestamp::now()).await
    }
}

/// These roles and those they include, by name.
pub async fn with_implied(store: &Store, ids: BTreeSet<RoleId>) -> Result<Vec<Model>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut roles = store
        .all(Entity::find().filter(Column::Id.is_in(ids.iter().map(RoleId::as_str))))
        .await?;
    let mut names: Vec<&str> = roles.iter().map(|role| role.name.as_str()).collect();
    // The chain is in order, so one pass follows it to its end.
    for (upper, lower) in auth::policy::IMPLIED {
        if names.contains(upper) && !names.contains(lower) {
            names.push(lower);
        }
    }
    let implied: Vec<&str> = names.split_off(roles.len());
    if !implied.is_empty() {
        let implied = store.all(Entity::find().filter(Column::Name.is_in(implied))).await?;
        roles.extend(implied);
    }
    roles.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(roles)
}
