//! The outbox: every state change is a row written in the transaction that made it, and read in commit order.

use auth::{Cx, Reach};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::Expr,
};
use types::{DomainId, Json, ProjectId, Result, Timestamp};

use crate::{Store, Tx};

/// The channel that wakes readers of events.
pub const CHANNEL: &str = "events";

/// A row of the outbox.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Grows; gives `Last-Event-ID`.
    #[sea_orm(primary_key)]
    pub seq: i64,
    #[serde(skip)]
    pub tx: i64,
    pub at: Timestamp,
    /// What happened, for example `server.running`.
    pub kind: String,
    pub noun: String,
    pub resource_id: String,
    pub name: String,
    pub project_id: Option<ProjectId>,
    #[serde(skip)]
    pub domain_id: Option<DomainId>,
    /// The name of the user or worker that caused it.
    pub actor: String,
    pub request_id: String,
    pub data: Json<serde_json::Value>,
}

impl ActiveModelBehavior for ActiveModel {}

/// What happened to one object.
#[derive(Clone, Debug)]
pub struct Event {
    /// `<noun>.<what>`.
    pub kind: String,
    pub id: String,
    pub name: String,
    pub owner: Option<(ProjectId, DomainId)>,
    pub data: serde_json::Value,
}

impl Event {
    fn row(self, cx: &Cx) -> ActiveModel {
        let noun = self.kind.split('.').next().unwrap_or_default().to_owned();
        let (project_id, domain_id) = self.owner.unzip();
        ActiveModel {
            seq: NotSet,
            tx: NotSet,
            at: Set(Timestamp::now()),
            kind: Set(self.kind),
            noun: Set(noun),
            resource_id: Set(self.id),
            name: Set(self.name),
            project_id: Set(project_id),
            domain_id: Set(domain_id),
            actor: Set(cx.who().user_name.clone()),
            request_id: Set(cx.request_id().to_owned()),
            data: Set(Json(self.data)),
        }
    }
}

impl Tx {
    /// Writes an event; readers see it after the commit.
    pub async fn event(&mut self, cx: &Cx, event: Event) -> Result<()> {
        self.events([(cx, event)]).await
    }

    /// Writes events of several callers, in this order; readers see them after the commit.
    pub async fn events(&mut self, events: impl IntoIterator<Item = (&Cx, Event)>) -> Result<()> {
        let rows: Vec<_> = events.into_iter().map(|(cx, event)| event.row(cx)).collect();
        self.insert_all(rows).await?;
        self.wake(CHANNEL);
        Ok(())
    }
}

/// Which events to read.
#[derive(Clone, Debug, Default)]
pub struct Since {
    /// The last one seen; 0 for the beginning.
    pub seq: i64,
    pub noun: Option<String>,
    pub resource_id: Option<String>,
    pub limit: u64,
}

impl Store {
    /// Events after `since`, within the caller's reach, in order. A later call never shows an earlier one.
    pub async fn events(&self, cx: &Cx, since: &Since) -> Result<Vec<Model>> {
        let select = Entity::find().filter(Column::Seq.gt(since.seq));
        let select = match cx.reach("event", "list") {
            Reach::Nothing => return Err(types::Error::denied("you may not read events")),
            Reach::Everything => select,
            Reach::Domain(id) => select.filter(Column::DomainId.eq(id)),
            Reach::Project(id) => select.filter(Column::ProjectId.eq(id)),
        };
        let select = match &since.noun {
            Some(noun) => select.filter(Column::Noun.eq(noun.as_str())),
            None => select,
        };
        let select = match &since.resource_id {
            Some(id) => select.filter(Column::ResourceId.eq(id.as_str())),
            None => select,
        };
        let select = if self.is_postgres() {
            select.filter(settled())
        } else {
            select
        };
        self.all(select.order_by_asc(Column::Seq).limit(since.limit.clamp(1, 1000)))
            .await
    }

    /// The newest sequence number, for a reader that wants only what comes now.
    pub async fn last_event(&self) -> Result<i64> {
        let select = Entity::find();
        let select = if self.is_postgres() {
            select.filter(settled())
        } else {
            select
        };
        Ok(self
            .one(select.order_by_desc(Column::Seq))
            .await?
            .map_or(0, |event| event.seq))
    }
}

/// Sequence numbers are drawn before the commit, so a smaller one may appear later. Rows of transactions that are
/// older than every one still open cannot be overtaken any more.
fn settled() -> sea_orm::sea_query::SimpleExpr {
    Expr::cust("tx < (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)")
}
