//! Claims: rows that hold capacity of a host or a storage, and the routes that make, change, list and release them.
//!
//! ```text
//! ask ── place on the snapshot ── one transaction: rows, then hosts, then storages, each only if it still has room
//!          ▲                         │ lost
//!          └── read those hosts ◀────┘
//! ```

pub mod group;

mod answer;
mod ask;
mod book;
mod check;
mod commit;
mod release;
mod resize;

use auth::Cx;
use axum::{Router, routing};
use sea_orm::entity::prelude::*;
use serde::Serialize;
use store::{Row, Scoped};
use types::{Result, Size, Timestamp};
use utoipa::{ToSchema, openapi::HttpMethod};
use web::{Resource, docs::Operation};

use crate::State;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "claim")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub consumer: String,
    pub token: String,
    /// 0 for the host; the disks of the same ask follow in their order.
    pub slot: i64,
    pub host_id: String,
    pub storage_id: Option<String>,
    pub vcpus: i64,
    pub memory: i64,
    pub disk: i64,
    pub resized_by: Option<String>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "claim";
    const SCOPED: Scoped = Scoped::Shared;
    const SORTABLE: &'static [&'static str] = &["created_at"];
}

/// One claim in a list.
#[derive(Serialize, ToSchema)]
#[schema(as = Claim)]
pub struct View {
    pub id: String,
    /// `server/<id>` or `disk/<id>`.
    pub consumer: String,
    pub token: String,
    pub host_id: String,
    /// Set on the claim of a disk.
    pub storage_id: Option<String>,
    pub vcpus: i64,
    pub memory: Size,
    pub disk: Size,
    pub created_at: Timestamp,
}

impl From<Model> for View {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            consumer: row.consumer,
            token: row.token,
            host_id: row.host_id,
            storage_id: row.storage_id,
            vcpus: row.vcpus,
            memory: Size::bytes(row.memory.max(0).unsigned_abs()),
            disk: Size::bytes(row.disk.max(0).unsigned_abs()),
            created_at: row.created_at,
        }
    }
}

impl Resource<State> for Entity {
    const PATH: &'static str = "claims";
    const ABOUT: &'static str = "Lists claims of capacity.";
    type View = View;

    async fn views(_: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<View>> {
        Ok(rows.into_iter().map(View::from).collect())
    }
}

pub fn routes() -> (Router<State>, Vec<Operation>) {
    let [ask, release, resize, check, repair] = operations();
    web::noun::<State, Entity>()
        .route("/claims", routing::post(ask::ask), ask)
        .route("/claims", routing::delete(release::release), release)
        .route("/claims/resize", routing::post(resize::resize), resize)
        .route("/claims/check", routing::get(check::check), check)
        .route("/claims/repair", routing::post(check::repair), repair)
        .into_parts()
}

fn operations() -> [Operation; 5] {
    let operation = |method, path, id, about| Operation::new(method, path, id, "claim", about);
    let compare = "Compares claims with what hosts and storages have in use.";
    let repair = "Sets what is in use to the sum of the claims.";
    [
        operation(
            HttpMethod::Post,
            "/claims",
            "claim_ask",
            "Claims capacity, all or none.",
        )
        .takes::<ask::Ask>()
        .answers::<answer::Claims>("200", "where each consumer goes"),
        operation(
            HttpMethod::Delete,
            "/claims",
            "claim_release",
            "Gives capacity back, once.",
        )
        .query("consumer", "whose claims")
        .query("token", "or of which ask")
        .empty("204", "nothing is claimed any more"),
        operation(
            HttpMethod::Post,
            "/claims/resize",
            "claim_resize",
            "Changes a claim in place.",
        )
        .takes::<resize::Resize>()
        .answers::<resize::Resized>("200", "the consumer's claims now"),
        operation(HttpMethod::Get, "/claims/check", "claim_check", compare).lists::<check::Difference>(),
        operation(HttpMethod::Post, "/claims/repair", "claim_repair", repair)
            .answers::<check::Differences>("200", "what was different"),
    ]
}
