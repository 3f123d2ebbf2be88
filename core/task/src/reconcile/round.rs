//! Who does the next round of a reconciler, and when. The row is the only coordination between replicas.

use std::time::Duration;

use auth::Cx;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, QueryFilter, UpdateMany,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use store::Store;
use tokio::time::{sleep, timeout};
use types::{Error, Json, Result, TaskId, Timestamp};

use super::{Next, ReconcileCx, Reconciler};
use crate::{
    Settings,
    engine::{Extensions, journal::from_now, retry::backoff},
    row::reconciler::{ActiveModel, Column, Entity, Model},
};

pub(super) struct Rounds<R> {
    settings: Settings,
    reconciler: R,
    store: Store,
    extensions: Extensions,
    /// Differs for every call of `run` ever made.
    owner: String,
}

impl<R: Reconciler> Rounds<R> {
    pub fn new(settings: Settings, reconciler: R, store: Store, extensions: Extensions) -> Self {
        Self {
            settings,
            reconciler,
            store,
            extensions,
            owner: TaskId::new().to_string(),
        }
    }

    pub async fn run(&self) {
        let mut hints = self.store.signal(R::CHANNEL.unwrap_or("reconcilers"));
        let mut hint = None;
        loop {
            hints.borrow_and_update();
            let wait = match self.turn(hint.take()).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::warn!(
                        reconciler = R::NAME,
                        error = error.chain(),
                        "no round; it is tried again"
                    );
                    self.settings.poll
                }
            };
            if timeout(wait, hints.changed()).await.is_ok() && R::CHANNEL.is_some() {
                hint = Some(Timestamp::now());
            }
        }
    }

    /// One round, if it is due and nobody else does it; how long to sleep then.
    async fn turn(&self, hint: Option<Timestamp>) -> Result<Duration> {
        let due = match self.store.one(Entity::find_by_id(R::NAME)).await? {
            None => self.insert().await.map(|()| Timestamp::from_micros(0))?,
            // Who was there before the hint has to look again.
            Some(row) if row.owner.is_none() && hint > row.started_at => Timestamp::from_micros(0),
            Some(row) => row.due_at,
        };
        let early = due.since(Timestamp::now());
        if !early.is_zero() {
            return Ok(early.min(self.settings.poll));
        }
        let Some(row) = self.claim(hint).await? else {
            return Ok(self.settings.poll.min(self.settings.beat));
        };
        let Some(result) = self.round(&row).await else {
            tracing::warn!(
                reconciler = R::NAME,
                "the round was given up: another replica may have it"
            );
            return Ok(self.settings.poll);
        };
        self.end(&row, result).await
    }

    async fn insert(&self) -> Result<()> {
        let row = ActiveModel {
            name: Set(R::NAME.to_owned()),
            owner: Set(None),
            fence: Set(0),
            due_at: Set(Timestamp::from_micros(0)),
            failures: Set(0),
            error: Set(None),
            started_at: Set(None),
            ended_at: Set(None),
        };
        let mut insert = Entity::insert(row);
        let nothing = OnConflict::column(Column::Name).do_nothing().to_owned();
        let insert = sea_orm::QueryTrait::query(&mut insert).on_conflict(nothing).to_owned();
        let tx = self.store.begin().await?;
        tx.execute(&insert).await?;
        tx.commit().await
    }

    async fn claim(&self, hint: Option<Timestamp>) -> Result<Option<Model>> {
        let tx = self.store.begin().await?;
        let now = from_now(tx.is_postgres(), Duration::ZERO);
        let mut free = Condition::any().add(Expr::col(Column::DueAt).lte(now));
        if let Some(hint) = hint {
            let before = Condition::any()
                .add(Column::StartedAt.is_null())
                .add(Column::StartedAt.lt(hint));
            free = free.add(Condition::all().add(Column::Owner.is_null()).add(before));
        }
        let rows = tx.claim(Entity::find_by_id(R::NAME).filter(free)).await?;
        let Some(mut row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let update = Entity::update_many()
            .col_expr(Column::Owner, Expr::value(self.owner.as_str()))
            .col_expr(Column::Fence, Expr::value(row.fence + 1))
            .col_expr(Column::StartedAt, Expr::value(Timestamp::now()))
            .col_expr(Column::DueAt, from_now(tx.is_postgres(), self.settings.lease));
        tx.update(update.filter(Column::Name.eq(R::NAME))).await?;
        tx.commit().await?;
        row.fence += 1;
        Ok(Some(row))
    }

    /// None when the row went to somebody else meanwhile.
    async fn round(&self, row: &Model) -> Option<Result<Next>> {
        let cx = ReconcileCx {
            name: R::NAME,
            every: R::every(),
            settings: self.settings.clone(),
            store: self.store.clone(),
            cx: Cx::service(R::NAME, &format!("{}-{}", R::NAME, row.fence)),
            extensions: self.extensions.clone(),
        };
        tokio::select! {
            result = self.reconciler.reconcile(&cx) => Some(result),
            () = self.beat(row) => None,
        }
    }

    /// Returns when the row is not ours any more, or may not be.
    async fn beat(&self, row: &Model) {
        let mut silent = Duration::ZERO;
        while silent < self.settings.lease {
            sleep(self.settings.beat).await;
            silent += self.settings.beat;
            let update =
                Entity::update_many().col_expr(Column::DueAt, from_now(self.store.is_postgres(), self.settings.lease));
            match self.write(row.fence, update).await {
                Ok(1) => silent = Duration::ZERO,
                Ok(_) => return,
                Err(error) => tracing::warn!(reconciler = R::NAME, error = error.chain(), "no heartbeat"),
            }
        }
    }

    async fn end(&self, row: &Model, result: Result<Next>) -> Result<Duration> {
        let (wait, failures, error) = match result {
            Ok(Next::Usual) => (R::every(), 0, None),
            Ok(Next::Now) => (Duration::ZERO, 0, None),
            Ok(Next::After(wait)) => (wait, 0, None),
            Err(error) => {
                tracing::warn!(reconciler = R::NAME, error = error.chain(), "the round failed");
                (
                    backoff(&self.settings, row.failures),
                    row.failures + 1,
                    Some(Json(error)),
                )
            }
        };
        let update = Entity::update_many()
            .col_expr(Column::Owner, Expr::value(None::<String>))
            .col_expr(Column::DueAt, from_now(self.store.is_postgres(), wait))
            .col_expr(Column::Failures, Expr::value(failures))
            .col_expr(Column::Error, Expr::value(error))
            .col_expr(Column::EndedAt, Expr::value(Some(Timestamp::now())));
        self.write(row.fence, update).await?;
        Ok(wait.min(self.settings.poll))
    }

    async fn write(&self, fence: i64, update: UpdateMany<Entity>) -> Result<u64> {
        let tx = self.store.begin().await?;
        let mine = update
            .filter(Column::Name.eq(R::NAME))
            .filter(Column::Owner.eq(self.owner.as_str()))
            .filter(Column::Fence.eq(fence));
        let rows = tx.update(mine).await?;
        tx.commit().await?;
        Ok(rows)
    }

    /// This process ends: whoever is next need not wait for the lease.
    pub async fn let_go(&self) {
        let done: Result<(), Error> = async {
            let tx = self.store.begin().await?;
            let update = Entity::update_many()
                .col_expr(Column::Owner, Expr::value(None::<String>))
                .col_expr(Column::DueAt, from_now(tx.is_postgres(), Duration::ZERO))
                .filter(Column::Name.eq(R::NAME))
                .filter(Column::Owner.eq(self.owner.as_str()));
            tx.update(update).await?;
            tx.commit().await
        }
        .await;
        if let Err(error) = done {
            tracing::warn!(reconciler = R::NAME, error = error.chain(), "its lease runs out");
        }
    }
}
