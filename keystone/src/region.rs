//! Regions of the catalog. Their ids are names that people choose.

use sea_orm::{EntityTrait, entity::prelude::*};
use serde_json::{Map, Value};
use store::Tx;
use types::{Error, Json, Result, Timestamp};

use crate::{
    attributes::Attributes,
    caller::Caller,
    front::Origin,
    resource::{Change, Resource},
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_region")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub parent_region_id: Option<String>,
    pub description: String,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Resource for Entity {
    const NOUN: &'static str = "region";
    const PLURAL: &'static str = "regions";
    const FILTERS: &'static [&'static str] = &["parent_region_id"];
    const PUBLIC: bool = true;

    fn blank(_caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: uuid::Uuid::new_v4().simple().to_string(),
            parent_region_id: None,
            description: String::new(),
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, what: Change) -> Result<()> {
        if what == Change::Create {
            attributes.set_name("id", 255, &mut row.id)?;
        }
        attributes.set_text("description", &mut row.description)?;
        if let Some(parent) = attributes.text("parent_region_id")? {
            row.parent_region_id = parent;
        }
        attributes.set_extra(&mut row.extra)
    }

    fn id(row: &Model) -> String {
        row.id.clone()
    }

    fn name(row: &Model) -> String {
        row.id.clone()
    }

    fn view(row: &Model, _origin: &Origin) -> Map<String, Value> {
        let mut view = row.extra.0.clone();
        view.insert("description".to_owned(), row.description.as_str().into());
        view.insert("parent_region_id".to_owned(), row.parent_region_id.clone().into());
        view
    }

    async fn storing(tx: &mut Tx, _caller: &Caller, _before: Option<&Model>, row: &mut Model) -> Result<()> {
        match &row.parent_region_id {
            Some(parent) => exists(tx, parent).await,
            None => Ok(()),
        }
    }
}

pub async fn exists(tx: &Tx, id: &str) -> Result<()> {
    match tx.one(Entity::find_by_id(id.to_owned())).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found("region", id)),
    }
}
