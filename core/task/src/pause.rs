//! An operator holds back the queue: tasks of a paused kind stay queued in every replica until it is resumed.
//!
//! What is under way goes on. A queued task that somebody cancels is still taken, to be ended. A claim that was made
//! in the same moment as the pause may still begin.

use auth::Cx;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict, SimpleExpr},
};
use serde_json::json;
use store::{Event, Store, Tx};
use types::{Error, Result, Timestamp};

use crate::{
    QUEUE,
    row::pause::{ActiveModel, Column, Entity, Model},
};

/// The kind that stands for all of them.
pub const ALL: &str = "all";

/// Pauses `kind`; when it is paused already, the newer reason counts.
pub async fn pause(cx: &Cx, store: &Store, kind: &str, reason: &str) -> Result<()> {
    let row = ActiveModel {
        kind: Set(kind.to_owned()),
        actor: Set(cx.who().user_name.clone()),
        reason: Set(reason.to_owned()),
        since: Set(Timestamp::now()),
    };
    let newer = OnConflict::column(Column::Kind)
        .update_columns([Column::Actor, Column::Reason, Column::Since])
        .to_owned();
    let mut insert = Entity::insert(row);
    let insert = sea_orm::QueryTrait::query(&mut insert).on_conflict(newer).to_owned();
    let mut tx = store.begin().await?;
    tx.execute(&insert).await?;
    note(cx, &mut tx, kind, "paused", reason).await?;
    tx.commit().await
}

/// Lets workers take tasks of `kind` again. What `all` holds back is resumed as `all`.
///
/// Errors: `Conflict` when it is not paused.
pub async fn resume(cx: &Cx, store: &Store, kind: &str, reason: &str) -> Result<()> {
    let mut tx = store.begin().await?;
    if tx.delete(Entity::delete_many().filter(Column::Kind.eq(kind))).await? == 0 {
        let text = format!("the queue of `{kind}` is not paused: `climc ops show` lists those that are");
        return Err(Error::conflict(text).code("not_paused"));
    }
    note(cx, &mut tx, kind, "resumed", reason).await?;
    tx.wake(QUEUE);
    tx.commit().await
}

/// Everything that is paused, by kind.
pub async fn paused(store: &Store) -> Result<Vec<Model>> {
    store.all(Entity::find().order_by_asc(Column::Kind)).await
}

/// The pause that holds back tasks of `kind`, if one does.
pub fn of<'a>(pauses: &'a [Model], kind: &str) -> Option<&'a Model> {
    pauses.iter().find(|pause| pause.kind == kind || pause.kind == ALL)
}

/// The queued tasks that may be taken.
pub(crate) fn open() -> SimpleExpr {
    Expr::cust(format!(
        "(cancel_requested OR NOT EXISTS (SELECT 1 FROM pause WHERE pause.kind = task.kind OR pause.kind = '{ALL}'))"
    ))
}

async fn note(cx: &Cx, tx: &mut Tx, kind: &str, what: &str, reason: &str) -> Result<()> {
    let event = Event {
        kind: format!("queue.{what}"),
        id: kind.to_owned(),
        name: kind.to_owned(),
        owner: None,
        data: json!({ "reason": reason }),
    };
    tx.event(cx, event).await
}
