//! A site to place on: a database with the region's tables, hosts in it, and clients of any number of schedulers.

use std::sync::Arc;

use async_trait::async_trait;
use auth::{Policy, Who, cx::Scope};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
    middleware,
};
use http_body_util::BodyExt;
use scheduler::{MIGRATIONS, State};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use store::{Migration, Store};
use testkit::Database;
use tower::ServiceExt;
use types::{AccountId, Error, HostId, Kind, NetworkId, Result, StorageId, UserId, ZoneId};
use web::{Authenticate, Gate};

const REGION: &[Migration] = &[
    Migration {
        name: "region/0001_inventory",
        sql: include_str!("../../../region/src/migrations/0001_inventory.sql"),
    },
    Migration {
        name: "region/0002_servers",
        sql: include_str!("../../../region/src/migrations/0002_servers.sql"),
    },
];

pub struct Site {
    url: String,
    /// Past the service, as the region would write.
    db: DatabaseConnection,
    pub zone: ZoneId,
    pub account: AccountId,
    _database: Database,
}

/// A host in the table, with one storage.
pub struct Host {
    pub id: HostId,
    pub storage: StorageId,
}

pub const GIB: i64 = 1 << 30;

/// One site on each database.
pub async fn sites() -> Vec<Site> {
    let migrations: Vec<_> = REGION.iter().chain(MIGRATIONS).copied().collect();
    let (sqlite, postgres) = (
        Database::sqlite(&migrations).await,
        Database::postgres(&migrations).await,
    );
    vec![Site::new(sqlite).await, Site::new(postgres).await]
}

impl Site {
    async fn new(database: Database) -> Self {
        let mut options = ConnectOptions::new(database.url.clone());
        options.max_connections(1).sqlx_logging(false);
        let site = Self {
            db: sea_orm::Database::connect(options).await.unwrap(),
            url: database.url.clone(),
            zone: ZoneId::new(),
            account: AccountId::new(),
            _database: database,
        };
        let (zone, account) = (site.zone, site.account);
        site.sql("INSERT INTO region (id, name, created_at) VALUES ('rgn', 'here', 0)")
            .await;
        site.sql(&format!(
            "INSERT INTO zone (id, name, region_id, created_at, version) VALUES ('{zone}', 'east', 'rgn', 0, 1)"
        ))
        .await;
        site.sql(&format!(
            "INSERT INTO account (id, name, driver, options, capabilities, state, zone_id, created_at, updated_at, version)
             VALUES ('{account}', 'local', 'kvm', '{{}}', '{{}}', 'connected', '{zone}', 0, 0, 1)"
        ))
        .await;
        site
    }

    /// A scheduler of its own, with its own connections.
    pub async fn scheduler(&self) -> Client {
        let state = State::new(Store::open(&self.url).await.unwrap());
        let gate = Gate {
            tokens: Arc::new(Tokens),
            policy: Arc::new(Policy::default()),
        };
        let router = scheduler::app(state).layer(middleware::from_fn_with_state(gate, web::caller::identify));
        Client {
            router,
            token: "service",
        }
    }

    pub async fn host(&self, name: &str, vcpus: i64, memory: i64, tags: &str) -> Host {
        let (id, storage) = (HostId::new(), StorageId::new());
        let (zone, account) = (self.zone, self.account);
        let now = types::Timestamp::now().as_micros();
        self.sql(&format!(
            "INSERT INTO host (id, name, account_id, zone_id, external_id, state, intent, faults, architecture, hypervisor,
               driver, vcpus, memory, vcpus_used, memory_used, cpu_overcommit, memory_overcommit, memory_reserved, tags,
               created_at, updated_at, version)
             VALUES ('{id}', '{name}', '{account}', '{zone}', '{name}', 'ready', 'enabled', '[]', 'x86_64', 'kvm',
               'kvm', {vcpus}, {memory}, 0, 0, 1000, 1000, 0, '{tags}', {now}, {now}, 1)"
        ))
        .await;
        self.sql(&format!(
            "INSERT INTO storage (id, name, host_id, account_id, backend, capacity, claimed, used, enabled, created_at, updated_at)
             VALUES ('{storage}', 'local', '{id}', '{account}', 'dir', {}, 0, 0, true, {now}, {now})",
            100 * GIB
        ))
        .await;
        Host { id, storage }
    }

    pub async fn network(&self, name: &str, bridge: Option<&str>) -> NetworkId {
        let id = NetworkId::new();
        let bridge = bridge.map_or("NULL".to_owned(), |bridge| format!("'{bridge}'"));
        self.sql(&format!(
            "INSERT INTO network (id, name, project_id, domain_id, state, cidr, gateway, bridge, dns, tags, total, used,
               hint, created_at, updated_at, version)
             VALUES ('{id}', '{name}', 'p', 'd', 'available', '10.0.0.0/24', '10.0.0.1', {bridge}, '[]', '{{}}', 254, 0,
               0, 0, 0, 1)"
        ))
        .await;
        id
    }

    pub async fn sql(&self, sql: &str) {
        self.db.execute_unprepared(sql).await.unwrap();
    }

    pub async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let row = self.db.query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }
}

#[derive(Clone)]
pub struct Client {
    router: Router,
    token: &'static str,
}

impl Client {
    pub fn as_(&self, token: &'static str) -> Self {
        Self { token, ..self.clone() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-auth-token", self.token);
        let response = self
            .router
            .clone()
            .oneshot(request.body(Body::from(body)).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, body).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn release(&self, what: &str) -> StatusCode {
        self.call(Method::DELETE, &format!("/claims?{what}"), Value::Null)
            .await
            .0
    }

    pub async fn assert_sums(&self) {
        assert_eq!(self.get("/claims/check").await["items"], json!([]));
    }
}

/// An ask for one consumer; its token is `t-<name>`.
pub fn ask(name: &str, request: Value) -> Value {
    json!({ "consumers": [{ "consumer": format!("server/{name}"), "token": format!("t-{name}") }], "request": request })
}

/// A token is the name of the role it gives.
struct Tokens;

#[async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, token: &str) -> Result<Who> {
        let scope = match token {
            "service" | "admin" => Scope::System,
            "member" | "manager" => Scope::Project {
                id: "p".parse()?,
                domain: "d".parse()?,
            },
            _ => return Err(Error::new(Kind::Unauthenticated, "no such token")),
        };
        Ok(Who {
            user: UserId::new(),
            user_name: token.to_owned(),
            domain: "d".parse()?,
            scope,
            roles: vec![token.to_owned()],
        })
    }
}
