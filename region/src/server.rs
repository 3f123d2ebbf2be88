//! Servers: the row and its view. Creating, deleting and every operation on them are workflows beside this file.

pub mod console;
pub mod create;
pub mod delete;
pub mod fetch;
pub mod guest;
pub mod power;
pub mod rebuild;
pub mod resize;
pub mod steps;

pub mod settle;
mod view;

use auth::Cx;
use store::{
    Found, Row, Scoped, Tx,
    sea_orm::{self, entity::prelude::*},
};
use task::Target;
use types::{
    AccountId, DomainId, ExternalRef, FlavorId, HostId, ImageId, Json, ProjectId, Result, ServerId, Size, Timestamp,
    api::{Tags, server as api},
    states,
};
use web::Made;

use crate::{State, swap::relabel};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "server")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ServerId,
    pub name: String,
    pub project_id: ProjectId,
    pub domain_id: DomainId,
    pub state: states::Server,
    pub fault: Option<String>,
    pub power_state: states::Power,
    pub power_seen_at: Option<Timestamp>,
    pub guest: Option<states::Guest>,
    pub guest_since: Option<Timestamp>,
    pub commanded_at: Timestamp,
    pub account_id: Option<AccountId>,
    pub host_id: Option<HostId>,
    pub external_id: Option<ExternalRef>,
    pub image_id: ImageId,
    pub image_name: String,
    pub flavor_id: FlavorId,
    pub flavor_name: String,
    pub vcpus: i64,
    pub memory: Size,
    pub keypair_name: Option<String>,
    pub public_key: Option<String>,
    pub user_data: Option<String>,
    pub apart_from: Option<String>,
    pub tags: Json<Tags>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "server";
    const SCOPED: Scoped = Scoped::Project;
    const TOMBSTONE: Option<&'static str> = Some("deleted");
    const SORTABLE: &'static [&'static str] = &["created_at", "name", "id", "state"];
    const HIDDEN: &'static [&'static str] = &["user_data", "public_key"];
}

/// What a task about this server holds.
pub fn target(row: &Model) -> Target {
    let owner = Some((row.project_id.clone(), row.domain_id.clone()));
    Target {
        noun: Entity::NOUN,
        id: row.id.to_string(),
        name: row.name.clone(),
        owner,
    }
}

impl Model {
    /// Where it is, for operations that need it to be somewhere.
    pub fn machine(&self) -> Result<(AccountId, ExternalRef)> {
        match (self.account_id, self.external_id.clone()) {
            (Some(account), Some(machine)) => Ok((account, machine)),
            _ => Err(
                types::Error::conflict(format!("server `{}` was never made on any cloud", self.name))
                    .code("wrong_state"),
            ),
        }
    }

    /// The state this operation passes through, or a conflict naming the server.
    pub fn begin(&self, next: states::Server) -> Result<states::Server> {
        self.state.to(next).map_err(|_| {
            types::Error::conflict(format!(
                "server `{}` is {}: it cannot be {next} from there",
                self.name, self.state
            ))
            .code("wrong_state")
            .on("server", self.id)
        })
    }
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "servers";
    const ABOUT: &'static str = "Servers: virtual machines, wherever they run.";
    type View = api::View;

    async fn views(state: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::View>> {
        view::views(&state.store, rows).await
    }
}

impl web::Update<State> for Entity {
    type Input = api::Update;

    async fn update(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>, input: api::Update) -> Result<Model> {
        relabel::<Self>(tx, found.id, found.version, input.name, input.tags).await
    }
}

impl web::Delete<State> for Entity {
    async fn delete(_: &State, cx: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        delete::begin(cx, tx, found.into_inner()).await
    }
}
