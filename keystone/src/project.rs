//! Projects: what owns servers, disks and images.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, entity::prelude::*};
use serde_json::{Map, Value, json};
use store::Tx;
use types::{DomainId, Error, Json, ProjectId, Result, Timestamp};

use crate::{
    assignment,
    attributes::Attributes,
    caller::Caller,
    domain,
    front::Origin,
    resource::{Change, Resource},
    revocation,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_project")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProjectId,
    pub domain_id: DomainId,
    pub parent_id: Option<ProjectId>,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    pub tags: Json<Vec<String>>,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Resource for Entity {
    const NOUN: &'static str = "project";
    const PLURAL: &'static str = "projects";
    const FILTERS: &'static [&'static str] = &["name", "domain_id", "parent_id", "enabled"];
    const DOMAIN: Option<&'static str> = Some("domain_id");
    const PROJECT: Option<&'static str> = Some("id");

    fn blank(caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: ProjectId::new(),
            domain_id: caller.home(),
            parent_id: None,
            name: String::new(),
            description: String::new(),
            enabled: true,
            tags: Json::default(),
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, what: Change) -> Result<()> {
        attributes.set_name("name", 64, &mut row.name)?;
        attributes.set_text("description", &mut row.description)?;
        attributes.set_flag("enabled", &mut row.enabled)?;
        if let Some(tags) = attributes.take("tags") {
            row.tags = serde_json::from_value(tags).map_err(|_| attributes.wrong("tags", "a list of texts"))?;
        }
        if attributes.take("is_domain") == Some(Value::Bool(true)) {
            return Err(attributes.wrong("is_domain", "false: create a domain instead"));
        }
        attributes.take("options");
        match what {
            Change::Create => {
                attributes.set_id("domain_id", &mut row.domain_id)?;
                attributes.set_optional("parent_id", &mut row.parent_id)?;
                // The reference says a project at the top has its domain as its parent.
                row.parent_id
                    .take_if(|parent| parent.as_str() == row.domain_id.as_str());
            }
            Change::Update => {
                attributes.keep("domain_id", Some(row.domain_id.as_str()))?;
                let parent = parent(row);
                attributes.keep("parent_id", Some(&parent))?;
            }
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
        view.insert("parent_id".to_owned(), parent(row).into());
        view.insert("description".to_owned(), row.description.as_str().into());
        view.insert("enabled".to_owned(), row.enabled.into());
        view.insert("is_domain".to_owned(), false.into());
        view.insert("tags".to_owned(), json!(row.tags));
        view.insert("options".to_owned(), json!({}));
        view
    }

    async fn storing(tx: &mut Tx, _caller: &Caller, before: Option<&Model>, row: &mut Model) -> Result<()> {
        if before.is_none() {
            domain::exists(tx, &row.domain_id).await?;
            if let Some(parent) = &row.parent_id {
                let select = Entity::find_by_id(parent.clone()).filter(Column::DomainId.eq(row.domain_id.as_str()));
                if tx.one(select).await?.is_none() {
                    return Err(Error::not_found("project", parent));
                }
            }
        }
        if !row.enabled && before.is_some_and(|before| before.enabled) {
            revocation::scope(tx, "project", row.id.as_str(), Timestamp::now()).await?;
        }
        Ok(())
    }

    async fn deleting(tx: &mut Tx, _caller: &Caller, row: &Model) -> Result<()> {
        let child = Entity::find().filter(Column::ParentId.eq(row.id.as_str()));
        if let Some(child) = tx.one(child).await? {
            let message = format!(
                "project `{}` has the child `{}`: delete that first",
                row.name, child.name
            );
            return Err(Error::denied(message));
        }
        revocation::scope(tx, "project", row.id.as_str(), Timestamp::now()).await?;
        assignment::forget_target(tx, "project", row.id.as_str()).await
    }
}

fn parent(row: &Model) -> String {
    row.parent_id
        .as_ref()
        .map_or_else(|| row.domain_id.to_string(), ProjectId::to_string)
}
