//! Snapshots: points in time of a disk. The row and its view; what is done with them are workflows beside this file.

pub mod create;
pub mod delete;
pub mod revert;

use auth::Cx;
use store::{
    Found, Row, Scoped, Tx,
    sea_orm::{self, QueryFilter, entity::prelude::*, sea_query::Expr},
};
use task::Target;
use types::{
    DiskId, DomainId, Error, ExternalRef, ProjectId, Result, Size, SnapshotId, TaskId, Timestamp,
    api::snapshot as api,
    states::{self, Power},
};
use web::Made;

use crate::{
    State, disk, server,
    swap::{current, relabel, set},
    tasks::holders,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SnapshotId,
    pub name: String,
    pub project_id: ProjectId,
    pub domain_id: DomainId,
    pub state: states::Snapshot,
    pub fault: Option<String>,
    pub disk_id: DiskId,
    pub size: Size,
    pub external_id: Option<ExternalRef>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "snapshot";
    const SCOPED: Scoped = Scoped::Project;
    const TOMBSTONE: Option<&'static str> = Some("deleted");
}

/// What a task about this snapshot holds.
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
    /// The state this operation passes through, or a conflict naming the snapshot.
    pub fn begin(&self, next: states::Snapshot) -> Result<states::Snapshot> {
        self.state.to(next).map_err(|_| {
            let message = format!(
                "snapshot `{}` is {}: it cannot be {next} from there",
                self.name, self.state
            );
            Error::conflict(message).code("wrong_state").on(Entity::NOUN, self.id)
        })
    }
}

/// A snapshot of this disk, if there is one.
pub async fn any_of(tx: &Tx, disk: DiskId) -> Result<Option<Model>> {
    let rows = Entity::find()
        .filter(Column::DiskId.eq(disk))
        .filter(Column::State.ne(states::Snapshot::Deleted));
    tx.one(rows).await
}

/// Ends the snapshots of a disk whose volume is gone: they went with it.
pub async fn end_all(cx: &Cx, tx: &mut Tx, disk: DiskId) -> Result<()> {
    while let Some(row) = any_of(tx, disk).await? {
        end(cx, tx, row.id).await?;
    }
    Ok(())
}

async fn end(cx: &Cx, tx: &mut Tx, id: SnapshotId) -> Result<()> {
    let row = rest(cx, tx, id, states::Snapshot::Deleted, None).await?;
    tx.refund(&row.project_id, &[("snapshots", 1)]).await
}

/// Puts it into a resting state, in the transaction that ends a task.
async fn rest(cx: &Cx, tx: &mut Tx, id: SnapshotId, next: states::Snapshot, fault: Option<String>) -> Result<Model> {
    let row = set::<Entity>(tx, id, |u| {
        u.col_expr(Column::State, Expr::value(next))
            .col_expr(Column::Fault, Expr::value(fault))
    })
    .await?;
    web::noun::announce::<Entity>(cx, tx, &row, next.as_str()).await?;
    Ok(row)
}

/// A disk and its server as they are while a task holds both.
struct Held {
    disk: disk::Model,
    server: Option<server::Model>,
}

async fn hold(tx: &Tx, task: TaskId, id: DiskId) -> Result<Held> {
    let row = current::<disk::Entity>(tx, id).await?;
    task::hold(tx, task, disk::Entity::NOUN, &id.to_string(), &row.name).await?;
    let disk = current::<disk::Entity>(tx, id).await?;
    let server = disk::hold_server(tx, task, &disk).await?;
    Ok(Held { disk, server })
}

impl Held {
    /// Errors: `Conflict` when the disk is not at rest, or no longer at the version that was `seen`.
    fn idle(&self, seen: i64) -> Result<()> {
        let disk = &self.disk;
        let (code, what) = match disk.state == disk.rest() {
            true if disk.version == seen => return Ok(()),
            true => (
                "version_mismatch",
                "was changed by somebody else in the meantime: look again".to_owned(),
            ),
            false => (
                "wrong_state",
                format!("is {}: wait until it is available or in use", disk.state),
            ),
        };
        let message = format!("disk `{}` {what}", disk.name);
        Err(Error::conflict(message).code(code).on(disk::Entity::NOUN, disk.id))
    }

    /// Errors: `Conflict`, code `server_running`, when the disk's server is not off.
    fn at_rest(&self, what: &str) -> Result<()> {
        match &self.server {
            Some(server) if runs(server) => {
                let (disk, server_name) = (&self.disk.name, &server.name);
                let message = format!("server `{server_name}` runs: stop it before {what} disk `{disk}`");
                Err(Error::conflict(message)
                    .code("server_running")
                    .on(server::Entity::NOUN, server.id))
            }
            _ => Ok(()),
        }
    }
}

fn runs(server: &server::Model) -> bool {
    server.state == states::Server::Running || matches!(server.power_state, Power::On | Power::Paused)
}

/// What a cloud can do with snapshots. Errors: `Unsupported` when it has none.
async fn able(state: &State, cx: &Cx, disk: &disk::Model) -> Result<contract::capability::Snapshots> {
    let (account, _) = disk.volume()?;
    let able = disk::capabilities(state, cx, account).await?.snapshots;
    able.ok_or_else(|| Error::unsupported(format!("the cloud of disk `{}` has no snapshots", disk.name)))
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "snapshots";
    const ABOUT: &'static str = "Snapshots: points in time of a disk that it can be put back to.";
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
        disk_id: row.disk_id,
        size: row.size,
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
        relabel::<Self>(tx, found.id, found.version, input.name, None).await
    }
}

impl web::Delete<State> for Entity {
    async fn delete(state: &State, cx: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        delete::begin(state, cx, tx, found.into_inner()).await
    }
}
