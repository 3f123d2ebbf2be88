//! Groups: users who get roles together.

pub mod member;

use axum::{
    Router,
    routing::{get, put},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, entity::prelude::*};
use serde_json::{Map, Value};
use store::{Store, Tx};
use types::{DomainId, GroupId, Json, Result, Timestamp};

use crate::{
    State, assignment,
    attributes::Attributes,
    caller::Caller,
    domain,
    front::Origin,
    resource::{Change, Resource},
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_group")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GroupId,
    pub domain_id: DomainId,
    pub name: String,
    pub description: String,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

pub fn routes() -> Router<State> {
    let one = put(member::add).get(member::check).delete(member::remove);
    Router::new()
        .route("/groups/{group}/users", get(member::list))
        .route("/groups/{group}/users/{user}", one)
}

/// The groups a user is in.
pub async fn of_user(store: &Store, user: &str) -> Result<Vec<String>> {
    let rows = store
        .all(member::Entity::find().filter(member::Column::UserId.eq(user)))
        .await?;
    Ok(rows.into_iter().map(|row| row.group_id.to_string()).collect())
}

impl Resource for Entity {
    const NOUN: &'static str = "group";
    const PLURAL: &'static str = "groups";
    const FILTERS: &'static [&'static str] = &["name", "domain_id"];
    const DOMAIN: Option<&'static str> = Some("domain_id");

    fn blank(caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: GroupId::new(),
            domain_id: caller.home(),
            name: String::new(),
            description: String::new(),
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, what: Change) -> Result<()> {
        attributes.set_name("name", 64, &mut row.name)?;
        attributes.set_text("description", &mut row.description)?;
        match what {
            Change::Create => attributes.set_id("domain_id", &mut row.domain_id)?,
            Change::Update => attributes.keep("domain_id", Some(row.domain_id.as_str()))?,
        }
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
        view.insert("domain_id".to_owned(), row.domain_id.as_str().into());
        view.insert("description".to_owned(), row.description.as_str().into());
        view
    }

    async fn storing(tx: &mut Tx, _caller: &Caller, before: Option<&Model>, row: &mut Model) -> Result<()> {
        match before {
            None => domain::exists(tx, &row.domain_id).await,
            Some(_) => Ok(()),
        }
    }

    async fn deleting(tx: &mut Tx, caller: &Caller, row: &Model) -> Result<()> {
        assignment::guard(tx, caller, "group", row.id.as_str()).await?;
        assignment::forget_group(tx, row.id.as_str(), Timestamp::now()).await
    }
}
