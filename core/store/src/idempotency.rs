//! `Idempotency-Key`: the answer of a create is kept beside what it made, so that a repeat gets the same answer.

use std::time::Duration;

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, entity::prelude::*};
use types::{Error, Json, Result, Timestamp};

use crate::{Store, Tx};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// User, route and key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Hash of the request, so that a key is not reused for something else.
    pub request: String,
    pub status: i64,
    pub answer: Json<serde_json::Value>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// The answer given before to this key. `Conflict` when the key was used for another request.
    pub async fn answered(&self, id: &str, request: &str) -> Result<Option<Model>> {
        let Some(row) = self.one(Entity::find_by_id(id.to_owned())).await? else {
            return Ok(None);
        };
        if row.request != request {
            return Err(
                Error::conflict("this Idempotency-Key was used for a different request").code("idempotency_key_reused")
            );
        }
        Ok(Some(row))
    }

    /// Forgets answers older than [`KEPT`]; how many.
    pub async fn forget_answers(&self, now: Timestamp) -> Result<u64> {
        let limit = now.as_micros() - i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        let tx = self.begin().await?;
        let gone = tx
            .delete(Entity::delete_many().filter(Column::CreatedAt.lt(limit)))
            .await?;
        tx.commit().await?;
        Ok(gone)
    }
}

impl Tx {
    /// Keeps the answer. Two requests with one key at once: the second fails with `Conflict` and may ask again.
    pub async fn remember(&self, id: &str, request: &str, status: u16, answer: serde_json::Value) -> Result<()> {
        self.insert(ActiveModel {
            id: Set(id.to_owned()),
            request: Set(request.to_owned()),
            status: Set(i64::from(status)),
            answer: Set(Json(answer)),
            created_at: Set(Timestamp::now()),
        })
        .await
        .map(drop)
    }
}
