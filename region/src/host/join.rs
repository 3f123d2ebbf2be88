//! How a host joins: an operator asks for a token, the agent spends it for a certificate. Once.

use auth::Cx;
use axum::{Json, Router, extract::State as Get, http::StatusCode, routing::post};
use sha2::{Digest, Sha256};
use store::{
    Row, Scoped, Tx,
    sea_orm::{self, ActiveValue::Set, QueryFilter, QueryOrder, entity::prelude::*, sea_query::Expr},
};
use types::{
    Error, ExternalRef, HostId, JoinTokenId, Json as JsonColumn, Kind, Result, Size, Timestamp, ZoneId,
    api::host as api, states,
};
use web::{Caller, Input, Problem, docs::Operation, query::Plain};

use super::{INVENTORY, authority};
use crate::{Routes, State, account, host, place::zone};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "join_token")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JoinTokenId,
    pub name: String,
    pub digest: String,
    pub zone_id: ZoneId,
    pub expires_at: Timestamp,
    pub used_by: Option<HostId>,
    pub used_key: Option<String>,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "join-token";
    const SCOPED: Scoped = Scoped::Shared;
    const HIDDEN: &'static [&'static str] = &["digest"];
}

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod::Post;
    let router = Router::new()
        .route("/join-tokens", post(create))
        .route("/hosts/join", post(join));
    let operations = vec![
        Operation::new(
            Post,
            "/join-tokens",
            "join_token_create",
            "host",
            "Makes a token that one host may join with, once.",
        )
        .takes::<api::NewJoinToken>()
        .answers::<api::JoinToken>("201", "shown once"),
        Operation::new(
            Post,
            "/hosts/join",
            "host_join",
            "host",
            "What an agent sends once; the join token is the credential.",
        )
        .open()
        .takes::<api::Join>()
        .answers::<api::Joined>("200", "the host's certificate"),
    ];
    (router, operations)
}

async fn create(
    Get(state): Get<State>,
    Caller(cx): Caller,
    _: Plain,
    Input(input): Input<api::NewJoinToken>,
) -> Result<(StatusCode, Json<api::JoinToken>), Problem> {
    web::noun::allowed::<Entity>(&cx, "create")?;
    let seconds = input.valid_seconds.unwrap_or(3600);
    if !(60..=86_400).contains(&seconds) {
        return Err(Error::invalid(format!("valid_seconds is {seconds}; it must be from 60 to 86400")).into());
    }
    let zone = match &input.zone {
        Some(key) => state.store.find::<zone::Entity>(&cx, "get", key).await?.id,
        None => zone::first(&state.store).await?.id,
    };
    let authority = authority::load(&state.store).await?;
    let secret = hex::encode(rand::random::<[u8; 24]>());
    let expires_at = Timestamp::now() + std::time::Duration::from_secs(seconds.into());
    let id = JoinTokenId::new();
    let tx = state.store.begin().await?;
    tx.insert(ActiveModel {
        id: Set(id),
        name: Set(id.to_string()),
        digest: Set(digest(&secret)),
        zone_id: Set(zone),
        expires_at: Set(expires_at),
        used_by: Set(None),
        used_key: Set(None),
        created_at: Set(Timestamp::now()),
    })
    .await?;
    tx.commit().await?;
    // The agent checks our authority against the second part, so that nobody can pose as us.
    let token = format!("{secret}.{}", authority.fingerprint()?);
    Ok((StatusCode::CREATED, Json(api::JoinToken { token, expires_at })))
}

fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The one route an anonymous caller may use to change something; the token is its credential.
async fn join(Get(state): Get<State>, Input(input): Input<api::Join>) -> Result<Json<api::Joined>, Problem> {
    check(&input)?;
    let authority = authority::load(&state.store).await?;
    let key = authority::key_digest(&input.csr)?;
    let mut tx = state.store.begin().await?;
    let token = spend(&tx, &input.token, &key).await?;
    if let Some(host) = token.used_by {
        // The answer to this very agent was lost on its way.
        let certificate = authority.issue_agent(&input.csr, host)?;
        return Ok(Json(api::Joined {
            host,
            certificate,
            authority: authority.certificate,
        }));
    }
    let account = private_account(&mut tx, &token).await?;
    let id = HostId::new();
    let certificate = authority.issue_agent(&input.csr, id)?;
    let used = Entity::update_many()
        .col_expr(Column::UsedBy, Expr::value(id))
        .col_expr(Column::UsedKey, Expr::value(key))
        .filter(Column::Id.eq(token.id));
    tx.update(used).await?;
    let row = tx.insert(new_host(id, &account, &token, &input)).await?;
    let cx = Cx::service("agent", "req-join");
    web::noun::announce::<host::Entity>(&cx, &mut tx, &row, "joined").await?;
    tx.wake(INVENTORY);
    tx.commit().await?;
    Ok(Json(api::Joined {
        host: id,
        certificate,
        authority: authority.certificate,
    }))
}

fn check(input: &api::Join) -> Result<()> {
    let name = &input.name;
    if name.is_empty() || name.len() > 253 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        return Err(Error::invalid(format!("`{name}` is not a host name")));
    }
    if !input.url.starts_with("https://") || input.url.len() > 300 {
        return Err(Error::invalid(format!(
            "`{}` is not an https:// address of an agent",
            input.url
        )));
    }
    Ok(())
}

/// The token's row, if it may still be used, or was used by the holder of this key. All refusals look the same.
async fn spend(tx: &Tx, token: &str, key: &str) -> Result<Model> {
    let refused = || {
        Error::new(
            Kind::Unauthenticated,
            "this join token is unknown, used or expired: ask for a new one",
        )
        .code("bad_join_token")
    };
    let secret = token.split('.').next().unwrap_or_default();
    let row = tx
        .lock(Entity::find().filter(Column::Digest.eq(digest(secret))))
        .await?
        .ok_or_else(refused)?;
    let spent = row.used_by.is_some() && row.used_key.as_deref() != Some(key);
    if spent || row.expires_at < Timestamp::now() {
        return Err(refused());
    }
    Ok(row)
}

/// The account that hosts with our agent belong to: the oldest of driver `kvm`, made with the first host.
async fn private_account(tx: &mut Tx, token: &Model) -> Result<account::Model> {
    let kvm = account::Entity::find()
        .filter(account::Column::Driver.eq("kvm"))
        .filter(account::Column::State.ne(states::Account::Deleted))
        .order_by_asc(account::Column::CreatedAt);
    if let Some(account) = tx.one(kvm).await? {
        return Ok(account);
    }
    tx.insert(account::new_row(
        "private",
        "kvm",
        serde_json::json!({}),
        token.zone_id,
        states::Account::Connected,
    ))
    .await
}

fn new_host(id: HostId, account: &account::Model, token: &Model, input: &api::Join) -> host::ActiveModel {
    let now = Timestamp::now();
    host::ActiveModel {
        id: Set(id),
        name: Set(input.name.clone()),
        account_id: Set(account.id),
        zone_id: Set(token.zone_id),
        external_id: Set(ExternalRef::new(id.to_string())),
        endpoint: Set(Some(input.url.clone())),
        state: Set(states::Host::Discovered),
        intent: Set(api::Intent::Enabled),
        faults: Set(JsonColumn(vec![])),
        architecture: Set(String::new()),
        hypervisor: Set(String::new()),
        driver: Set("kvm".to_owned()),
        vcpus: Set(0),
        memory: Set(Size::ZERO),
        vcpus_used: Set(0),
        memory_used: Set(Size::ZERO),
        cpu_overcommit: Set(super::facts::CPU_OVERCOMMIT),
        memory_overcommit: Set(super::facts::MEMORY_OVERCOMMIT),
        memory_reserved: Set(Size::ZERO),
        tags: Set(JsonColumn(vec![])),
        seen_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    }
}
