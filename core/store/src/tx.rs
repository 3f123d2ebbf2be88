//! One transaction of intent: rows, quota, tasks, events and wake-ups that commit together or not at all.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DeleteMany, EntityTrait,
    FromQueryResult, IntoActiveModel, QuerySelect, QueryTrait, Select, Statement, UpdateMany, Value,
    sea_query::{LockBehavior, LockType},
};
use types::Result;

use crate::{fault, group::Member, signal::Signals};

/// Rows in one INSERT: a database takes 32,766 values (SQLite) or 65,535 (PostgreSQL) in a statement.
const ROWS: usize = 500;

/// An open writing transaction. Nothing is visible to others before [`Tx::commit`]; dropping it undoes everything.
pub struct Tx {
    inner: Inner,
    signals: Arc<Signals>,
    wakes: BTreeSet<String>,
}

pub(crate) enum Inner {
    Alone(DatabaseTransaction),
    Member(Member),
}

impl Tx {
    pub(crate) fn new(inner: Inner, signals: Arc<Signals>) -> Self {
        Self {
            inner,
            signals,
            wakes: BTreeSet::new(),
        }
    }

    pub(crate) fn db(&self) -> &DatabaseTransaction {
        match &self.inner {
            Inner::Alone(inner) => inner,
            Inner::Member(member) => &member.outer,
        }
    }

    pub fn is_postgres(&self) -> bool {
        self.db().get_database_backend() == DbBackend::Postgres
    }

    pub async fn one<E: EntityTrait>(&self, select: Select<E>) -> Result<Option<E::Model>> {
        select.one(self.db()).await.map_err(|e| fault("reading", e))
    }

    pub async fn all<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<E::Model>> {
        select.all(self.db()).await.map_err(|e| fault("reading", e))
    }

    /// Like [`Tx::all`], and nobody else may change these rows until the end; rows held by others are left out.
    pub async fn claim<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<E::Model>> {
        let select = if self.is_postgres() {
            select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        } else {
            select
        };
        self.all(select).await
    }

    /// From now on rows come in the order of an index and are not sorted. PostgreSQL's statistics of a table that works
    /// as a queue are never right, and a plan that reads a whole queue to find its oldest rows never pays.
    pub async fn plan_in_order(&self) -> Result<()> {
        if self.is_postgres() {
            let plan = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off";
            let done = self.db().execute_unprepared(plan).await;
            done.map_err(|e| fault("planning", e))?;
        }
        Ok(())
    }

    /// From now on a row that others hold is waited for no longer than this. SQLite has no rows to wait for.
    pub async fn wait_at_most(&self, time: Duration) -> Result<()> {
        if self.is_postgres() {
            let limit = format!("SET LOCAL lock_timeout = {}", time.as_millis().max(1));
            let done = self.db().execute_unprepared(&limit).await;
            done.map_err(|e| fault("setting a limit", e))?;
        }
        Ok(())
    }

    /// Like [`Tx::one`], and waits until nobody else may change the row before the end.
    pub async fn lock<E: EntityTrait>(&self, select: Select<E>) -> Result<Option<E::Model>> {
        let select = if self.is_postgres() {
            select.lock(LockType::Update)
        } else {
            select
        };
        self.one(select).await
    }

    pub async fn insert<A>(&self, row: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        row.insert(self.db()).await.map_err(|e| fault("storing", e))
    }

    /// Many rows of one table in one statement, or in a few when there are very many.
    pub async fn insert_all<A: ActiveModelTrait + Send>(&self, rows: Vec<A>) -> Result<()> {
        let mut rows = rows.into_iter();
        loop {
            let some: Vec<_> = rows.by_ref().take(ROWS).collect();
            if some.is_empty() {
                return Ok(());
            }
            let insert = <A::Entity as EntityTrait>::insert_many(some);
            let done = insert.exec_without_returning(self.db()).await;
            done.map_err(|e| fault("storing", e))?;
        }
    }

    /// How many rows changed. Put what you believe about the row into the filter: that is the compare of the swap.
    pub async fn update<E: EntityTrait>(&self, update: UpdateMany<E>) -> Result<u64> {
        let done = update.exec(self.db()).await.map_err(|e| fault("changing", e))?;
        Ok(done.rows_affected)
    }

    pub async fn delete<E: EntityTrait>(&self, delete: DeleteMany<E>) -> Result<u64> {
        let done = delete.exec(self.db()).await.map_err(|e| fault("deleting", e))?;
        Ok(done.rows_affected)
    }

    /// Any statement sea-query can build; how many rows it touched.
    pub async fn execute(&self, statement: &impl sea_orm::StatementBuilder) -> Result<u64> {
        let done = self.db().execute(statement).await.map_err(|e| fault("changing", e))?;
        Ok(done.rows_affected())
    }

    /// The rows of any statement, given as text that both databases understand.
    pub async fn rows<M: FromQueryResult>(&self, sql: &str, values: Vec<Value>) -> Result<Vec<M>> {
        let statement = Statement::from_sql_and_values(self.db().get_database_backend(), sql, values);
        let rows = M::find_by_statement(statement).all(self.db()).await;
        rows.map_err(|e| fault("changing", e))
    }

    /// A query of another entity as text and values, for filters in subqueries.
    pub fn build<Q: QueryTrait>(&self, query: &Q) -> Statement {
        query.build(self.db().get_database_backend())
    }

    /// Wakes the waiters of `channel` after the commit.
    pub fn wake(&mut self, channel: &str) {
        self.wakes.insert(channel.to_owned());
    }

    /// Commits, then wakes.
    pub async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::Alone(inner) => inner.commit().await.map_err(|e| fault("committing", e))?,
            Inner::Member(member) => member.commit().await?,
        }
        if !self.wakes.is_empty() {
            self.signals.raise(self.wakes);
        }
        Ok(())
    }
}
