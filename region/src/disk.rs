//! Disks: the row and its view. Making, attaching, growing and deleting them are workflows beside this file.

pub mod attach;
pub mod create;
pub mod delete;
pub mod operation;
pub mod resize;

use auth::Cx;
use contract::{Call, Capabilities};
use store::{
    Found, Row, Scoped, Tx,
    sea_orm::{self, entity::prelude::*, sea_query::Expr},
};
use task::Target;
use types::{
    AccountId, DiskId, DomainId, Error, ExternalRef, HostId, Json, ProjectId, Result, ServerId, Size, StorageId,
    TaskId, Timestamp,
    api::{Tags, disk as api},
    states,
};
use web::Made;

use crate::{
    State,
    clouds::PATIENCE,
    server,
    swap::{current, relabel, set},
    tasks::holders,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "disk")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DiskId,
    pub name: String,
    pub project_id: ProjectId,
    pub domain_id: DomainId,
    pub state: states::Disk,
    pub fault: Option<String>,
    pub size: Size,
    pub root: bool,
    pub slot: i64,
    pub server_id: Option<ServerId>,
    pub account_id: Option<AccountId>,
    pub host_id: Option<HostId>,
    pub storage_id: Option<StorageId>,
    pub external_id: Option<ExternalRef>,
    pub tags: Json<Tags>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "disk";
    const SCOPED: Scoped = Scoped::Project;
    const TOMBSTONE: Option<&'static str> = Some("deleted");
}

/// What a task about this disk holds.
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
    /// Where its volume is, for operations that need it to be somewhere.
    pub fn volume(&self) -> Result<(AccountId, ExternalRef)> {
        match (self.account_id, self.external_id.clone()) {
            (Some(account), Some(volume)) => Ok((account, volume)),
            _ => Err(self.wrong("was never made on any cloud".to_owned())),
        }
    }

    /// The state this operation passes through, or a conflict naming the disk.
    pub fn begin(&self, next: states::Disk) -> Result<states::Disk> {
        self.state
            .to(next)
            .map_err(|_| self.wrong(format!("is {}: it cannot be {next} from there", self.state)))
    }

    /// Where it rests when nothing is done with it.
    pub fn rest(&self) -> states::Disk {
        match self.server_id {
            Some(_) => states::Disk::InUse,
            None => states::Disk::Available,
        }
    }

    /// Who holds its capacity with the scheduler: a root disk is part of its server's claim.
    pub fn consumer(&self) -> String {
        match self.server_id {
            Some(server) if self.root => format!("server/{server}"),
            _ => format!("disk/{}", self.id),
        }
    }

    fn wrong(&self, what: String) -> Error {
        Error::conflict(format!("disk `{}` {what}", self.name))
            .code("wrong_state")
            .on("disk", self.id)
    }
}

/// Puts it into a resting state, in the transaction that ends a task.
pub(crate) async fn rest(cx: &Cx, tx: &mut Tx, id: DiskId, next: states::Disk, fault: Option<String>) -> Result<Model> {
    let row = set::<Entity>(tx, id, |u| {
        u.col_expr(Column::State, Expr::value(next))
            .col_expr(Column::Fault, Expr::value(fault))
    })
    .await?;
    web::noun::announce::<Entity>(cx, tx, &row, next.as_str()).await?;
    Ok(row)
}

/// The server a disk is attached to, held by `task` too and seen as it is then.
pub(crate) async fn hold_server(tx: &Tx, task: TaskId, row: &Model) -> Result<Option<server::Model>> {
    let Some(id) = row.server_id else { return Ok(None) };
    let server = current::<server::Entity>(tx, id).await?;
    task::hold(tx, task, server::Entity::NOUN, &id.to_string(), &server.name).await?;
    current::<server::Entity>(tx, id).await.map(Some)
}

/// What the cloud of this account can do with this caller's patience.
pub(crate) async fn capabilities(state: &State, cx: &Cx, account: AccountId) -> Result<Capabilities> {
    let cloud = state.clouds.of(&Call::new(cx.request_id(), PATIENCE), account).await?;
    Ok(cloud.capabilities().clone())
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "disks";
    const ABOUT: &'static str = "Disks: block volumes, attached to a server or not.";
    type View = api::View;

    async fn views(state: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::View>> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let tasks = holders(&state.store, Self::NOUN, &ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| view(tasks.get(&row.id.to_string()).copied(), row))
            .collect())
    }
}

fn view(task: Option<TaskId>, row: Model) -> api::View {
    api::View {
        id: row.id,
        name: row.name,
        state: row.state,
        fault: row.fault,
        task,
        size: row.size,
        root: row.root,
        server_id: row.server_id,
        host_id: row.host_id,
        storage_id: row.storage_id,
        tags: row.tags.0,
        project_id: row.project_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

impl web::Create<State> for Entity {
    type Input = api::Create;
    type Ready = create::Ready;

    async fn ready(state: &State, cx: &Cx, input: api::Create) -> Result<create::Ready> {
        create::fetch(state, cx, input).await
    }

    async fn create(_: &State, cx: &Cx, tx: &mut Tx, ready: create::Ready) -> Result<Made<Self>> {
        create::begin(cx, tx, ready).await
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
