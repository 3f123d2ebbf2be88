//! Endpoints of the catalog: where a service is reached.

use sea_orm::{EntityTrait, entity::prelude::*};
use serde_json::{Map, Value};
use store::Tx;
use types::{Error, Json, Result, Timestamp};

use crate::{
    attributes::Attributes,
    caller::Caller,
    front::Origin,
    region,
    resource::{Change, Resource},
    service,
};

/// Stands for the origin the client used, so that the catalog is right behind any proxy.
pub const ORIGIN: &str = "$(public_origin)s";

pub const INTERFACES: &[&str] = &["public", "internal", "admin"];

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_endpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub service_id: String,
    pub region_id: Option<String>,
    pub interface: String,
    pub url: String,
    pub enabled: bool,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Resource for Entity {
    const NOUN: &'static str = "endpoint";
    const PLURAL: &'static str = "endpoints";
    const FILTERS: &'static [&'static str] = &["service_id", "region_id", "interface"];
    const PUBLIC: bool = true;

    fn blank(_caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: uuid::Uuid::new_v4().simple().to_string(),
            service_id: String::new(),
            region_id: None,
            interface: String::new(),
            url: String::new(),
            enabled: true,
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, _what: Change) -> Result<()> {
        attributes.set_name("service_id", 64, &mut row.service_id)?;
        attributes.set_name("interface", 16, &mut row.interface)?;
        attributes.set_name("url", 2048, &mut row.url)?;
        attributes.set_flag("enabled", &mut row.enabled)?;
        for key in ["region", "region_id"] {
            if let Some(region) = attributes.text(key)? {
                row.region_id = region;
            }
        }
        attributes.set_extra(&mut row.extra)?;
        if !INTERFACES.contains(&row.interface.as_str()) {
            return Err(attributes.wrong("interface", "public, internal or admin"));
        }
        match row.service_id.is_empty() || row.url.is_empty() {
            true => Err(attributes.wrong("service_id` and `url", "given")),
            false => Ok(()),
        }
    }

    fn id(row: &Model) -> String {
        row.id.clone()
    }

    fn name(row: &Model) -> String {
        row.url.clone()
    }

    fn view(row: &Model, origin: &Origin) -> Map<String, Value> {
        let mut view = row.extra.0.clone();
        view.insert("service_id".to_owned(), row.service_id.as_str().into());
        view.insert("interface".to_owned(), row.interface.as_str().into());
        view.insert("region".to_owned(), row.region_id.clone().into());
        view.insert("region_id".to_owned(), row.region_id.clone().into());
        view.insert("url".to_owned(), row.url.replace(ORIGIN, &origin.root).into());
        view.insert("enabled".to_owned(), row.enabled.into());
        view
    }

    async fn storing(tx: &mut Tx, _caller: &Caller, _before: Option<&Model>, row: &mut Model) -> Result<()> {
        if tx
            .one(service::Entity::find_by_id(row.service_id.clone()))
            .await?
            .is_none()
        {
            return Err(Error::not_found("service", &row.service_id));
        }
        match &row.region_id {
            Some(region) => region::exists(tx, region).await,
            None => Ok(()),
        }
    }
}
