//! Users: people and machines that can log in.

mod own;

use axum::{
    Router,
    routing::{get, post},
};
use sea_orm::{EntityTrait, entity::prelude::*};
use serde_json::{Map, Value, json};
use store::Tx;
use types::{DomainId, Json, ProjectId, Result, Timestamp, UserId};

use crate::{
    State, assignment,
    attributes::Attributes,
    caller::Caller,
    domain,
    front::Origin,
    password::Secret,
    resource::{Change, Resource},
    revocation,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_user")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    pub domain_id: DomainId,
    pub name: String,
    pub enabled: bool,
    pub default_project_id: Option<ProjectId>,
    pub password_hash: Option<Secret>,
    pub password_at: Option<Timestamp>,
    pub epoch: i64,
    pub extra: Json<Map<String, Value>>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

pub fn routes() -> Router<State> {
    Router::new()
        .route("/users/{id}/password", post(own::change_password))
        .route("/users/{id}/groups", get(own::groups))
        .route("/users/{id}/projects", get(own::projects))
}

impl Resource for Entity {
    const NOUN: &'static str = "user";
    const PLURAL: &'static str = "users";
    const FILTERS: &'static [&'static str] = &["name", "domain_id", "enabled"];
    const DOMAIN: Option<&'static str> = Some("domain_id");

    fn blank(caller: &Caller, now: Timestamp) -> Model {
        Model {
            id: UserId::new(),
            domain_id: caller.home(),
            name: String::new(),
            enabled: true,
            default_project_id: None,
            password_hash: None,
            password_at: None,
            epoch: 1,
            extra: Json::default(),
            created_at: now,
        }
    }

    fn apply(row: &mut Model, attributes: &mut Attributes, what: Change) -> Result<()> {
        attributes.set_name("name", 255, &mut row.name)?;
        attributes.set_flag("enabled", &mut row.enabled)?;
        attributes.set_optional("default_project_id", &mut row.default_project_id)?;
        match what {
            Change::Create => attributes.set_id("domain_id", &mut row.domain_id)?,
            Change::Update => attributes.keep("domain_id", Some(row.domain_id.as_str()))?,
        }
        if let Some(hash) = attributes.hash.take() {
            row.password_hash = Some(hash);
            row.password_at = Some(Timestamp::now());
        }
        for derived in ["options", "password_expires_at"] {
            attributes.take(derived);
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
        view.insert("enabled".to_owned(), row.enabled.into());
        view.insert("password_expires_at".to_owned(), Value::Null);
        view.insert("options".to_owned(), json!({}));
        if let Some(project) = &row.default_project_id {
            view.insert("default_project_id".to_owned(), project.as_str().into());
        }
        view
    }

    fn is_own(caller: &Caller, id: &str) -> bool {
        caller.is(id)
    }

    async fn prepare(state: &State, attributes: &mut Attributes) -> Result<()> {
        if let Some(Some(password)) = attributes.text("password")? {
            attributes.hash = Some(state.hasher().hash(password).await?);
        }
        Ok(())
    }

    async fn storing(tx: &mut Tx, caller: &Caller, before: Option<&Model>, row: &mut Model) -> Result<()> {
        let Some(before) = before else {
            return domain::exists(tx, &row.domain_id).await;
        };
        assignment::guard(tx, caller, "user", row.id.as_str()).await?;
        let disabled = before.enabled && !row.enabled;
        if disabled || before.password_hash != row.password_hash || before.name != row.name {
            revocation::raise(tx, row, Timestamp::now()).await?;
        }
        Ok(())
    }

    async fn deleting(tx: &mut Tx, caller: &Caller, row: &Model) -> Result<()> {
        assignment::guard(tx, caller, "user", row.id.as_str()).await?;
        assignment::forget_actor(tx, "user", row.id.as_str()).await?;
        revocation::gone(tx, row.id.as_str(), Timestamp::now()).await
    }
}
