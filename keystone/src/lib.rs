//! keystone: who exists, who may do what, and the tokens that say so. The wire format is OpenStack Identity v3.
//!
//! Everybody else verifies tokens alone, with [`verifier`]: keystone is asked only to log in and to change something.

pub mod domain;
pub mod project;

pub mod group;
pub mod user;

pub mod assignment;
pub mod role;

pub mod endpoint;
pub mod region;
pub mod service;

pub mod bootstrap;
pub mod key;
pub mod revocation;
pub mod token;

mod answer;
mod attributes;
mod caller;
mod catalog;
mod front;
mod password;
mod query;
mod resource;
mod state;
mod version;

use axum::{Router, routing::get};

pub use bootstrap::{Bootstrap, Made, bootstrap};
pub use key::{Keys, keys, verifier};
pub use state::{Options, State};

/// The tables of this crate.
pub const MIGRATIONS: &[store::Migration] = &[store::Migration {
    name: "keystone/0001_identity",
    sql: include_str!("migrations/0001_identity.sql"),
}];

/// The whole API; mount it at [`Options::prefix`] with `nest_service`, which serves the prefix with and without a slash.
pub fn app(state: State) -> Router {
    let v3 = Router::new()
        .route("/", get(version::v3))
        .merge(token::routes())
        .merge(key::routes())
        .merge(resource::routes::<domain::Entity>())
        .merge(resource::routes::<project::Entity>())
        .merge(resource::routes::<user::Entity>())
        .merge(user::routes())
        .merge(resource::routes::<group::Entity>())
        .merge(group::routes())
        .merge(resource::routes::<role::Entity>())
        .merge(assignment::routes())
        .merge(resource::routes::<region::Entity>())
        .merge(resource::routes::<service::Entity>())
        .merge(resource::routes::<endpoint::Entity>());
    let inner = Router::new()
        .route("/", get(version::all))
        .nest("/v3", v3)
        .fallback(answer::no_such_path)
        .method_not_allowed_fallback(answer::no_such_method)
        .with_state(state.clone());
    front::behind(state, inner)
}
