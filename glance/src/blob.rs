//! The row of a content, kept once by its digest and counted by the images that show it.

use sea_orm::{ActiveValue::Set, QueryFilter, entity::prelude::*, sea_query::ExprTrait as _};
use store::Tx;
use types::{Result, Timestamp};

use crate::{State, image};

/// One object in the backend.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "image_blob")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// SHA-512.
    pub digest: String,
    pub state: String,
    pub refs: i64,
    pub size: i64,
    /// The image and the lease it is stored for, while it is.
    pub image_id: String,
    pub lease: String,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

/// The object may be there in part. Owned by the lease of an image; without one it is swept.
pub const STORING: &str = "storing";
/// The object is complete and images may refer to it.
pub const READY: &str = "ready";
/// Nobody refers to it; the object is being removed, then the row.
pub const DELETING: &str = "deleting";

impl Model {
    pub fn key(&self) -> String {
        key(&self.digest, &self.id)
    }
}

/// The object's name, short enough for every store. It has the row's own id, so that a content that comes back while
/// its old object is being removed is never caught by that removal.
fn key(digest: &str, id: &str) -> String {
    format!("{}/{}.{id}", &digest[..2], &digest[..32])
}

/// A new row for content about to be stored for this image.
pub async fn begin(state: &State, image: &image::Model, digest: &str, size: i64) -> Result<Model> {
    let tx = state.store.begin().await?;
    let row = ActiveModel {
        id: Set(uuid::Uuid::new_v4().simple().to_string()),
        digest: Set(digest.to_owned()),
        state: Set(STORING.to_owned()),
        refs: Set(0),
        size: Set(size),
        image_id: Set(image.id.to_string()),
        lease: Set(image.lease.clone()),
        created_at: Set(Timestamp::now()),
    };
    let row = tx.insert(row).await?;
    tx.commit().await?;
    Ok(row)
}

/// Takes one more reference to ready content with this digest; its id, or `None` when there is none.
pub async fn share(tx: &Tx, digest: &str) -> Result<Option<String>> {
    let ready = Entity::find()
        .filter(Column::Digest.eq(digest))
        .filter(Column::State.eq(READY));
    let Some(row) = tx.lock(ready).await? else {
        return Ok(None);
    };
    let counted = Entity::update_many()
        .col_expr(Column::Refs, Expr::col(Column::Refs).add(1))
        .filter(Column::Id.eq(row.id.as_str()))
        .filter(Column::State.eq(READY));
    Ok((tx.update(counted).await? == 1).then_some(row.id))
}

/// Makes stored content ready with one reference. False when it was swept meanwhile.
pub async fn finish(tx: &Tx, id: &str) -> Result<bool> {
    let ready = Entity::update_many()
        .col_expr(Column::State, Expr::value(READY))
        .col_expr(Column::Refs, Expr::value(1))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(STORING));
    Ok(tx.update(ready).await? == 1)
}

/// Gives one reference back. The last one marks the content for removal; [`remove`] does it after the commit.
pub async fn release(tx: &Tx, id: &str) -> Result<()> {
    let counted = Entity::update_many()
        .col_expr(Column::Refs, Expr::col(Column::Refs).sub(1))
        .filter(Column::Id.eq(id));
    tx.update(counted).await?;
    let last = Entity::update_many()
        .col_expr(Column::State, Expr::value(DELETING))
        .filter(Column::Id.eq(id))
        .filter(Column::Refs.lte(0));
    tx.update(last).await.map(drop)
}

/// Marks content that never became ready for removal. False when it did become ready.
pub async fn abandon(state: &State, id: &str) -> Result<bool> {
    let tx = state.store.begin().await?;
    let mark = Entity::update_many()
        .col_expr(Column::State, Expr::value(DELETING))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(STORING));
    let marked = tx.update(mark).await? == 1;
    tx.commit().await?;
    Ok(marked)
}

/// Removes the object of content marked for removal, then the row. Repeating it is harmless.
pub async fn remove(state: &State, id: &str) -> Result<bool> {
    let marked = Entity::find_by_id(id.to_owned()).filter(Column::State.eq(DELETING));
    let Some(row) = state.store.one(marked).await? else {
        return Ok(false);
    };
    state.backend.delete(&row.key()).await?;
    let tx = state.store.begin().await?;
    tx.delete(Entity::delete_many().filter(Column::Id.eq(id))).await?;
    tx.commit().await?;
    Ok(true)
}
