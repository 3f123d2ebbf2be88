//! Services of the catalog: what kinds of API this installation offers.

use sea_orm::{EntityTrait, entity::prelude::*};
use serde_json::{Map, Value};
use types::{Json, Result, Timestamp};

use crate::{
    attributes::Attributes,
    caller::Caller,
    front::Origin,
    resource::{Change, Resource},
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_service")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub r#type: String,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Resource for Entity {
    const NOUN: &'static str = "service";
    const PLURAL: &'static str = "services";
    const FILTERS: &'static [&'static str] = &["name", "type"];
    const PUBLIC: bool = true;

    fn blank(_caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: uuid::Uuid::new_v4().simple().to_string(),
            r#type: String::new(),
            name: String::new(),
            description: String::new(),
            enabled: true,
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, _what: Change) -> Result<()> {
        attributes.set_name("type", 255, &mut row.r#type)?;
        attributes.set_text("name", &mut row.name)?;
        attributes.set_text("description", &mut row.description)?;
        attributes.set_flag("enabled", &mut row.enabled)?;
        attributes.set_extra(&mut row.extra)?;
        match row.r#type.is_empty() {
            true => Err(attributes.wrong("type", "given")),
            false => Ok(()),
        }
    }

    fn id(row: &Model) -> String {
        row.id.clone()
    }

    fn name(row: &Model) -> String {
        row.name.clone()
    }

    fn view(row: &Model, _origin: &Origin) -> Map<String, Value> {
        let mut view = row.extra.0.clone();
        view.insert("type".to_owned(), row.r#type.as_str().into());
        view.insert("name".to_owned(), row.name.as_str().into());
        view.insert("description".to_owned(), row.description.as_str().into());
        view.insert("enabled".to_owned(), row.enabled.into());
        view
    }
}
