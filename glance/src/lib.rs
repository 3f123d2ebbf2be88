//! Images: the OpenStack Image API v2 over a directory or S3.
//!
//! A record is made, its content comes in (upload, stage, import), is probed, stored once by digest and shown.
//! Routes below are the table of contents; [`sweep`] mends what a crash left.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State as AxumState,
    http::Uri,
    routing::{get, post, put},
};
use store::{Migration, Store};
use types::{Error, Result};

pub mod backend;
pub mod blob;
pub mod image;
pub mod member;
pub mod probe;

mod body;
mod content;
mod create;
mod download;
mod fault;
mod fields;
mod find;
mod import;
mod info;
mod lease;
mod list;
mod origin;
mod schema;
mod show;
mod spool;
mod sweep;
mod update;
mod upload;
mod view;

pub use backend::Backend;
pub use sweep::{Swept, sweep};

pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "glance/0001_images",
    sql: include_str!("migrations/0001_images.sql"),
}];

/// What an operator may decide.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where clients reach this service, for example `https://cloud.example/image`; else what their requests say.
    pub public_url: Option<String>,
    /// The largest content in bytes.
    pub max_size: u64,
    /// Private networks that imports may read from all the same.
    pub import_allow: Vec<ipnet::IpNet>,
    /// How long a writer that gives no sign of life keeps an image.
    pub lease: Duration,
    /// How long looking into a file may take.
    pub probe: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: None,
            max_size: 2 << 40,
            import_allow: Vec::new(),
            lease: Duration::from_secs(60),
            probe: Duration::from_secs(30),
        }
    }
}

/// What the service stands on; cheap to clone.
#[derive(Clone)]
pub struct State {
    pub store: Store,
    pub backend: Arc<dyn Backend>,
    /// Local directory for contents on their way in; for [`backend::Dir`] on the same file system.
    pub spool: PathBuf,
    pub options: Options,
}

impl State {
    /// Contents below `root`, or in the bucket that `image_store` names (`s3://bucket/prefix`, keys from `AWS_*`).
    /// The spool is below `root` either way.
    pub fn open(store: Store, root: impl Into<PathBuf>, image_store: Option<&str>) -> Result<Self> {
        let root = root.into();
        let backend: Arc<dyn Backend> = match image_store {
            Some(url) => Arc::new(backend::S3::open(url, &backend::s3::Options::default())?),
            None => Arc::new(backend::Dir::open(root.join("contents"))?),
        };
        Ok(Self {
            store,
            backend,
            spool: root.join("spool"),
            options: Options::default(),
        })
    }
}

/// The state as handlers take it.
type App = AxumState<State>;

/// The service below its mount point. Routes but version discovery want a [`web::Caller`].
pub fn app(state: State) -> Router {
    Router::new()
        .route("/", get(info::choices))
        .route("/versions", get(info::versions))
        .route("/v2", get(info::versions))
        .route("/v2/", get(info::versions))
        .route("/v2/images", get(list::list).post(create::create))
        .route(
            "/v2/images/{id}",
            get(show::get).patch(update::update).delete(show::delete),
        )
        .route("/v2/images/{id}/file", get(download::file).put(upload::file))
        .route("/v2/images/{id}/stage", put(upload::stage))
        .route("/v2/images/{id}/import", post(import::import))
        .route("/v2/images/{id}/actions/deactivate", post(show::deactivate))
        .route("/v2/images/{id}/actions/reactivate", post(show::reactivate))
        .route("/v2/images/{id}/tags/{tag}", put(show::tag).delete(show::untag))
        .route("/v2/images/{id}/members", get(member::list).post(member::create))
        .route(
            "/v2/images/{id}/members/{member}",
            get(member::get).put(member::update).delete(member::delete),
        )
        .route("/v2/schemas/{name}", get(schema::get))
        .route("/v2/info/import", get(info::imports))
        .route("/v2/info/stores", get(info::stores))
        .route("/v2/info/usage", get(info::usage))
        .fallback(unknown)
        .with_state(state)
}

async fn unknown(uri: Uri) -> fault::Fault {
    Error::not_found("path", uri.path()).into()
}
