//! Ending tokens before they expire: rows every verifier reads, written in the transaction that is the reason.

use std::time::Duration;

use auth::token::Revocations;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryTrait,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};
use store::{Store, Tx};
use types::{Error, Result, Timestamp};

use crate::{State, user};

/// The channel that wakes verifiers, here and in other replicas.
pub const CHANNEL: &str = "identity";

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_revocation")]
pub struct Model {
    /// `token`, `user`, `project` or `domain`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// For a user the lowest good epoch, for a project or domain the time until which tokens are void.
    pub value: i64,
    pub expires_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

/// Everything that still matters.
pub async fn load(store: &Store, now: Timestamp) -> Result<Revocations> {
    let rows = store
        .all(Entity::find().filter(Column::ExpiresAt.gt(now.as_micros())))
        .await?;
    let mut revocations = Revocations::default();
    for row in rows {
        let until = Timestamp::from_micros(row.value);
        match row.kind.as_str() {
            "token" => _ = revocations.audit_ids.insert(row.subject),
            "user" => _ = revocations.users.insert(row.subject.parse()?, row.value),
            "project" => _ = revocations.projects.insert(row.subject.parse()?, until),
            "domain" => _ = revocations.domains.insert(row.subject.parse()?, until),
            other => return Err(Error::broken(format!("a revocation is of the unknown kind `{other}`"))),
        }
    }
    Ok(revocations)
}

/// Ends one token, and those derived from it.
pub async fn token(tx: &mut Tx, audit_id: &str, expires_at: Timestamp) -> Result<()> {
    note(tx, "token", audit_id, 0, expires_at).await
}

/// Ends every token issued for or within a project or domain until now.
pub async fn scope(tx: &mut Tx, kind: &str, id: &str, now: Timestamp) -> Result<()> {
    note(tx, kind, id, now.as_micros(), now + State::LONGEST).await
}

/// Ends every token of these users by raising their epochs.
pub async fn users(tx: &mut Tx, ids: &[String], now: Timestamp) -> Result<()> {
    for id in ids {
        let epoch = user::Column::Epoch;
        let raise = user::Entity::update_many()
            .col_expr(epoch, Expr::col(epoch).add(1))
            .filter(user::Column::Id.eq(id.as_str()));
        tx.update(raise).await?;
        let select = user::Entity::find().filter(user::Column::Id.eq(id.as_str()));
        if let Some(user) = tx.one(select).await? {
            note(tx, "user", id, user.epoch, now + State::LONGEST).await?;
        }
    }
    Ok(())
}

/// Ends every token of a user whose row is being changed and is stored by the caller.
pub async fn raise(tx: &mut Tx, user: &mut user::Model, now: Timestamp) -> Result<()> {
    user.epoch += 1;
    note(tx, "user", user.id.as_str(), user.epoch, now + State::LONGEST).await
}

/// Ends every token of a user who is about to be deleted.
pub async fn gone(tx: &mut Tx, id: &str, now: Timestamp) -> Result<()> {
    note(tx, "user", id, i64::MAX, now + State::LONGEST).await
}

/// Forgets what can concern no living token; how many.
pub async fn forget(store: &Store, now: Timestamp) -> Result<u64> {
    let slack = Duration::from_secs(3600).as_micros();
    let limit = now.as_micros() - i64::try_from(slack).unwrap_or(0);
    let tx = store.begin().await?;
    let gone = tx
        .delete(Entity::delete_many().filter(Column::ExpiresAt.lt(limit)))
        .await?;
    tx.commit().await?;
    Ok(gone)
}

async fn note(tx: &mut Tx, kind: &str, subject: &str, value: i64, expires_at: Timestamp) -> Result<()> {
    let row = ActiveModel {
        kind: Set(kind.to_owned()),
        subject: Set(subject.to_owned()),
        value: Set(value),
        expires_at: Set(expires_at),
    };
    let newer = OnConflict::columns([Column::Kind, Column::Subject])
        .update_columns([Column::Value, Column::ExpiresAt])
        .to_owned();
    let insert = Entity::insert(row).on_conflict(newer);
    tx.execute(insert.as_query()).await?;
    tx.wake(CHANNEL);
    Ok(())
}
