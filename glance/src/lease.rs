//! Who may write an image's content: one writer at a time across all replicas, for as long as it gives signs of life.

use std::time::Duration;

use sea_orm::{ExprTrait, QueryFilter, entity::prelude::*};
use store::Tx;
use types::{Error, Result, Timestamp};

use crate::{
    State,
    image::{self, Column, Status},
};

/// A lease is prolonged this many times before it would end.
const BEATS: u32 = 4;

/// Moves an image from `from` to `to` and takes its lease. An image left in `to` by a dead writer is taken over.
///
/// Errors: `Conflict` when it is in another state or somebody writes it.
pub async fn take(state: &State, image: image::Model, from: Status, to: Status) -> Result<image::Model> {
    let now = Timestamp::now();
    let lease = uuid::Uuid::new_v4().simple().to_string();
    let until = now + state.options.lease;
    let free = Column::Status.eq(from.as_str());
    let abandoned = Column::Status.eq(to.as_str()).and(Column::LeaseUntil.lt(now));
    let tx = state.store.begin().await?;
    let taken = tx
        .update(
            image::Entity::update_many()
                .col_expr(Column::Status, Expr::value(to.as_str()))
                .col_expr(Column::Lease, Expr::value(lease.as_str()))
                .col_expr(Column::LeaseUntil, Expr::value(until))
                .col_expr(Column::Fault, Expr::value(""))
                .col_expr(Column::UpdatedAt, Expr::value(now))
                .filter(Column::Id.eq(image.id.as_str()))
                .filter(free.or(abandoned)),
        )
        .await?;
    if taken == 0 {
        let current = tx.one(image::Entity::find_by_id(image.id.clone())).await?;
        return Err(refusal(&image, current.map(|image| image.status), to));
    }
    tx.commit().await?;
    Ok(image::Model {
        status: to,
        lease,
        lease_until: until,
        fault: String::new(),
        updated_at: now,
        ..image
    })
}

fn refusal(image: &image::Model, current: Option<Status>, to: Status) -> Error {
    let id = &image.id;
    match current {
        None => Error::not_found(image::NOUN, id),
        Some(Status::Active | Status::Deactivated) => Error::conflict(format!(
            "image `{id}` has its content already: make a new image for another"
        ))
        .code("wrong_state"),
        Some(status) if status == to => {
            Error::conflict(format!("image `{id}` is {status}: somebody else is at it")).code("busy")
        }
        Some(status) => {
            Error::conflict(format!("image `{id}` is {status}, which this does not fit")).code("wrong_state")
        }
    }
    .on(image::NOUN, id)
}

/// Runs `work` and keeps the lease meanwhile. When the lease is lost the work is dropped and may write nothing more.
///
/// Both are polled all the time: on SQLite the work may have the one writing connection that the beat waits for.
pub async fn hold<T>(state: &State, image: &image::Model, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        lost = beat(state, image) => Err(lost),
    }
}

/// Prolongs the lease until that cannot be.
async fn beat(state: &State, image: &image::Model) -> Error {
    let pause = (state.options.lease / BEATS).max(Duration::from_millis(10));
    loop {
        tokio::time::sleep(pause).await;
        if let Err(error) = prolong(state, image).await {
            return error;
        }
    }
}

async fn prolong(state: &State, image: &image::Model) -> Result<()> {
    let until = Timestamp::now() + state.options.lease;
    let longer = held(image).col_expr(Column::LeaseUntil, Expr::value(until));
    let prolonged = match state.store.begin().await {
        Ok(tx) => match tx.update(longer).await {
            Ok(prolonged) => tx.commit().await.map(|()| prolonged),
            failed => failed,
        },
        Err(error) => Err(error),
    };
    match prolonged {
        Ok(0) => Err(lost(image)),
        Ok(_) => Ok(()),
        // The lease is longer than such a pause; the swap at the end decides.
        Err(error) if error.is_temporary() => Ok(()),
        Err(error) => Err(error),
    }
}

pub fn lost(image: &image::Model) -> Error {
    Error::conflict(format!(
        "image `{}` was deleted or taken over while its content came in",
        image.id
    ))
    .code("lease_lost")
}

/// An update of the image that happens only while the lease is ours.
pub fn held(image: &image::Model) -> sea_orm::UpdateMany<image::Entity> {
    image::Entity::update_many()
        .filter(Column::Id.eq(image.id.as_str()))
        .filter(Column::Lease.eq(image.lease.as_str()))
        .filter(Column::Lease.ne(""))
}

/// Ends the lease and moves the image to `to`; false when the lease was not ours any more.
pub async fn end(tx: &Tx, image: &image::Model, to: Status) -> Result<bool> {
    let now = Timestamp::now();
    let over = held(image)
        .col_expr(Column::Status, Expr::value(to.as_str()))
        .col_expr(Column::Lease, Expr::value(""))
        .col_expr(Column::LeaseUntil, Expr::value(0i64))
        .col_expr(Column::UpdatedAt, Expr::value(now));
    Ok(tx.update(over).await? == 1)
}

/// Puts the image back to `queued`; a failure here is mended by the lease's end.
pub async fn give_back(state: &State, image: &image::Model) {
    let work = async {
        let tx = state.store.begin().await?;
        end(&tx, image, Status::Queued).await?;
        tx.commit().await
    };
    if let Err(error) = work.await {
        tracing::warn!(error = error.chain(), image = %image.id, "an image stays leased until its lease ends");
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::IntoActiveModel;

    use super::*;
    use crate::create::empty;

    /// The lease's end, read by the writer.
    async fn until(state: &State, image: &image::Model) -> Timestamp {
        let tx = state.store.begin().await.unwrap();
        let row = tx
            .one(image::Entity::find_by_id(image.id.clone()))
            .await
            .unwrap()
            .unwrap();
        tx.commit().await.unwrap();
        row.lease_until
    }

    /// A beat that waits for the database's one writer must not keep the work that is that writer from going on.
    #[tokio::test]
    async fn work_that_writes_and_its_beats_do_not_wait_for_each_other() {
        let database = testkit::Database::sqlite(crate::MIGRATIONS).await;
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::open(database.store.clone(), dir.path(), None).unwrap();
        state.options.lease = Duration::from_millis(40);
        let image = empty(
            uuid::Uuid::new_v4().into(),
            &"p".parse().unwrap(),
            &"d".parse().unwrap(),
        );
        let tx = state.store.begin().await.unwrap();
        let image = tx.insert(image.into_active_model().reset_all()).await.unwrap();
        tx.commit().await.unwrap();
        let image = take(&state, image, Status::Queued, Status::Saving).await.unwrap();
        let work = async {
            let (mut beats, mut last) = (0, image.lease_until);
            while beats < 50 {
                let now = until(&state, &image).await;
                beats += u32::from(now != last);
                last = now;
            }
            Ok(())
        };
        let done = tokio::time::timeout(Duration::from_secs(20), hold(&state, &image, work)).await;
        done.expect("nobody waits").unwrap();
    }
}
