//! Domains: the top of the tree of owners.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, entity::prelude::*};
use serde_json::{Map, Value, json};
use store::Tx;
use types::{DomainId, Error, Json, Result, Timestamp};

use crate::{
    assignment,
    attributes::Attributes,
    caller::Caller,
    front::Origin,
    group, project,
    resource::{Change, Resource},
    revocation, user,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_domain")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DomainId,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Resource for Entity {
    const NOUN: &'static str = "domain";
    const PLURAL: &'static str = "domains";
    const FILTERS: &'static [&'static str] = &["name", "enabled"];
    const DOMAIN: Option<&'static str> = Some("id");

    fn blank(_caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: DomainId::new(),
            name: String::new(),
            description: String::new(),
            enabled: true,
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, what: Change) -> Result<()> {
        attributes.set_name("name", 64, &mut row.name)?;
        attributes.set_text("description", &mut row.description)?;
        attributes.set_flag("enabled", &mut row.enabled)?;
        attributes.take("tags");
        attributes.take("options");
        attributes.set_extra(&mut row.extra)?;
        match (what, row.name.is_empty()) {
            (Change::Create, true) => Err(attributes.wrong("name", "given")),
            _ => Ok(()),
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
        view.insert("enabled".to_owned(), row.enabled.into());
        view.insert("tags".to_owned(), json!([]));
        view.insert("options".to_owned(), json!({}));
        view
    }

    fn is_own(caller: &Caller, id: &str) -> bool {
        let scope = match &caller.claims.scope {
            auth::Scope::Domain { id } | auth::Scope::Project { domain: id, .. } => Some(id),
            _ => None,
        };
        caller.domain().as_str() == id || scope.is_some_and(|domain| domain.as_str() == id)
    }

    async fn storing(tx: &mut Tx, caller: &Caller, before: Option<&Model>, row: &mut Model) -> Result<()> {
        if !row.enabled && before.is_some_and(|before| before.enabled) {
            if *caller.domain() == row.id {
                let message = format!("you belong to domain `{}`: disabling it would lock you out", row.name);
                return Err(Error::denied(message));
            }
            revocation::scope(tx, "domain", row.id.as_str(), Timestamp::now()).await?;
        }
        Ok(())
    }

    async fn deleting(tx: &mut Tx, _caller: &Caller, row: &Model) -> Result<()> {
        if row.enabled {
            return Err(Error::denied(format!(
                "domain `{}` is enabled: disable it before deleting it",
                row.name
            )));
        }
        let id = row.id.as_str();
        let now = Timestamp::now();
        revocation::scope(tx, "domain", id, now).await?;
        let users = tx
            .all(user::Entity::find().filter(user::Column::DomainId.eq(id)))
            .await?;
        for user in users {
            assignment::forget_actor(tx, "user", user.id.as_str()).await?;
            revocation::gone(tx, user.id.as_str(), now).await?;
        }
        let groups = tx
            .all(group::Entity::find().filter(group::Column::DomainId.eq(id)))
            .await?;
        for group in groups {
            assignment::forget_group(tx, group.id.as_str(), now).await?;
        }
        for project in tx
            .all(project::Entity::find().filter(project::Column::DomainId.eq(id)))
            .await?
        {
            assignment::forget_target(tx, "project", project.id.as_str()).await?;
        }
        // Children point at parents, and both go at once.
        let orphan = project::Entity::update_many()
            .col_expr(project::Column::ParentId, Expr::value(Option::<String>::None))
            .filter(project::Column::DomainId.eq(id));
        tx.update(orphan).await?;
        assignment::forget_target(tx, "domain", id).await
    }
}

/// That a domain something is to be made in is there.
pub async fn exists(tx: &Tx, id: &DomainId) -> Result<()> {
    match tx.one(Entity::find_by_id(id.clone())).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found("domain", id)),
    }
}
