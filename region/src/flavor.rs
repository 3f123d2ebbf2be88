//! Flavors: the shapes servers come in, shared by all projects.

use auth::Cx;
use store::{
    Found, Row, Scoped, Tx,
    sea_orm::{self, ActiveValue::Set, QueryFilter, entity::prelude::*},
};
use types::{
    FlavorId, Json, Result, Size, Timestamp,
    api::{Tags, check_name, check_tags, flavor as api},
};
use web::Made;

use crate::{State, server, swap::relabel};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "flavor")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FlavorId,
    pub name: String,
    pub vcpus: i64,
    pub memory: Size,
    pub disk: Size,
    pub tags: Json<Tags>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "flavor";
    const SCOPED: Scoped = Scoped::Shared;
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "flavors";
    const ABOUT: &'static str = "Flavors: the shapes servers come in.";
    type View = api::View;

    async fn views(_: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::View>> {
        Ok(rows.into_iter().map(view).collect())
    }
}

fn view(row: Model) -> api::View {
    api::View {
        id: row.id,
        name: row.name,
        vcpus: u32::try_from(row.vcpus).unwrap_or_default(),
        memory: row.memory,
        disk: row.disk,
        tags: row.tags.0,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

impl web::Create<State> for Entity {
    type Input = api::Create;
    type Ready = api::Create;

    async fn ready(_: &State, _: &Cx, input: api::Create) -> Result<api::Create> {
        check_name("flavor", &input.name)?;
        check_tags(&input.tags)?;
        let wrong = |what: &str| Err(types::Error::invalid(format!("flavor `{}`: {what}", input.name)));
        if !(1..=512).contains(&input.vcpus) {
            return wrong(&format!("{} vcpus are not possible; use 1 to 512", input.vcpus));
        }
        if input.memory < Size::mib(32) || input.memory > Size::gib(16 << 10) {
            return wrong(&format!("{} of memory are not possible; use 32M to 16T", input.memory));
        }
        if input.disk < Size::mib(1) || input.disk > Size::gib(64 << 10) {
            return wrong(&format!("a disk of {} is not possible; use 1M to 64T", input.disk));
        }
        Ok(input)
    }

    async fn create(_: &State, _: &Cx, tx: &mut Tx, input: api::Create) -> Result<Made<Self>> {
        let now = Timestamp::now();
        let row = tx
            .insert(ActiveModel {
                id: Set(FlavorId::new()),
                name: Set(input.name.clone()),
                vcpus: Set(i64::from(input.vcpus)),
                memory: Set(input.memory),
                disk: Set(input.disk),
                tags: Set(Json(input.tags)),
                created_at: Set(now),
                updated_at: Set(now),
                version: Set(1),
            })
            .await
            .map_err(|e| taken(e, "flavor", &input.name))?;
        Ok(Made::now(row))
    }
}

/// Says which name is taken.
pub fn taken(error: types::Error, noun: &str, name: &str) -> types::Error {
    if error.code != "name_taken" {
        return error;
    }
    types::Error::conflict(format!("there is a {noun} `{name}` already: choose another name"))
        .code("name_taken")
        .on(noun, name)
}

impl web::Update<State> for Entity {
    type Input = api::Update;

    async fn update(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>, input: api::Update) -> Result<Model> {
        relabel::<Self>(tx, found.id, found.version, input.name, input.tags).await
    }
}

impl web::Delete<State> for Entity {
    async fn delete(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        let row = found.into_inner();
        let used = server::Entity::find()
            .filter(server::Column::FlavorId.eq(row.id))
            .filter(server::Column::State.ne(types::states::Server::Deleted));
        if let Some(server) = tx.one(used).await? {
            let message = format!(
                "flavor `{}` is used by server `{}`: delete or resize it first",
                row.name, server.name
            );
            return Err(types::Error::conflict(message).code("in_use").on("flavor", row.id));
        }
        tx.delete(Entity::delete_many().filter(Column::Id.eq(row.id))).await?;
        Ok(Made::now(row))
    }
}
