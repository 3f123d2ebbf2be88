//! A row for tests; it borrows a noun that the policy knows.

use sea_orm::entity::prelude::*;
use store::{Migration, Row, Scoped, sea_orm};
use types::{DomainId, ProjectId, Timestamp};

pub const MIGRATION: Migration = Migration {
    name: "test/0001_thing",
    sql: "CREATE TABLE thing (id TEXT PRIMARY KEY, name TEXT NOT NULL, project_id TEXT NOT NULL, domain_id TEXT NOT NULL, \
          size BIGINT NOT NULL, created_at BIGINT NOT NULL)",
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "thing")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub project_id: ProjectId,
    pub domain_id: DomainId,
    pub size: i64,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "server";
    const SCOPED: Scoped = Scoped::Project;
}
