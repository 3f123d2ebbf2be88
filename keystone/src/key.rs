//! Signing keys: made here, kept here, their public halves published to everybody.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use auth::token::{KeyPair, KeySet, KeySource, PublicKey, Signer, Verifier};
use axum::{Router, extract::State as FromState, http::HeaderMap, routing::get};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, entity::prelude::*, sea_query::ExprTrait,
};
use serde_json::json;
use store::Store;
use types::{Error, Result, Timestamp};

use crate::{
    State,
    answer::{Answer, ok},
    caller,
    password::Secret,
    revocation,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kid: String,
    pub public_key: String,
    pub private_key: Secret,
    pub created_at: Timestamp,
    pub retires_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn public(&self) -> PublicKey {
        PublicKey {
            kid: self.kid.clone(),
            x: self.public_key.clone(),
        }
    }
}

/// Public keys and revocations, straight from the database.
pub async fn keys(store: &Store) -> Result<KeySet> {
    let now = Timestamp::now();
    let alive = Column::RetiresAt.is_null().or(Column::RetiresAt.gt(now.as_micros()));
    let rows = store
        .all(Entity::find().filter(alive).order_by_asc(Column::CreatedAt))
        .await?;
    Ok(KeySet {
        keys: rows.iter().map(Model::public).collect(),
        revocations: revocation::load(store, now).await?,
    })
}

/// The key source of every process that shares the database.
pub struct Keys(pub Store);

#[async_trait]
impl KeySource for Keys {
    async fn load(&self) -> Result<KeySet> {
        keys(&self.0).await
    }
}

/// How often a verifier looks even if nobody woke it: wake-ups are only hints.
const LOOK: Duration = Duration::from_secs(1);

/// A verifier of this database's tokens that keeps itself current for as long as somebody holds it.
pub async fn verifier(store: &Store) -> Result<Arc<Verifier>> {
    let signal = store.signal(revocation::CHANNEL);
    let verifier = Arc::new(Verifier::with_source(Arc::new(Keys(store.clone()))).await?);
    tokio::spawn(follow(signal, Arc::downgrade(&verifier)));
    Ok(verifier)
}

async fn follow(mut signal: tokio::sync::watch::Receiver<u64>, verifier: Weak<Verifier>) {
    let mut reachable = true;
    loop {
        // Either way it is time to look: woken, or not woken for too long.
        if let Ok(Err(_)) = tokio::time::timeout(LOOK, signal.changed()).await {
            return;
        }
        let Some(verifier) = verifier.upgrade() else { return };
        let outcome = verifier.refresh().await;
        if let (true, Err(error)) = (reachable, &outcome) {
            tracing::warn!(
                error = error.chain(),
                "keys and revocations cannot be read; the last known are used"
            );
        }
        reachable = outcome.is_ok();
    }
}

/// The signer of the newest key.
pub async fn signer(store: &Store) -> Result<Signer> {
    let newest = Entity::find()
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Kid);
    let row = store.one(newest).await?;
    let row =
        row.ok_or_else(|| Error::unavailable("there is no signing key yet: start the service once to make one"))?;
    Signer::new(&KeyPair {
        public: row.public(),
        private: row.private_key.0,
    })
}

/// Makes a new key that signs from now on. Older ones stay published until no token of theirs can be alive.
pub async fn rotate(store: &Store, now: Timestamp) -> Result<String> {
    let pair = KeyPair::generate()?;
    let mut tx = store.begin().await?;
    let retire = Entity::update_many()
        .col_expr(Column::RetiresAt, Expr::value((now + State::LONGEST).as_micros()))
        .filter(Column::RetiresAt.is_null());
    tx.update(retire).await?;
    tx.delete(Entity::delete_many().filter(Column::RetiresAt.lt(now.as_micros())))
        .await?;
    tx.insert(ActiveModel {
        kid: Set(pair.public.kid.clone()),
        public_key: Set(pair.public.x.clone()),
        private_key: Set(Secret(pair.private)),
        created_at: Set(now),
        retires_at: Set(None),
    })
    .await?;
    tx.wake(revocation::CHANNEL);
    tx.commit().await?;
    Ok(pair.public.kid)
}

/// Makes the first key if there is none.
pub async fn ensure(store: &Store, now: Timestamp) -> Result<()> {
    match store.one(Entity::find()).await? {
        Some(_) => Ok(()),
        None => rotate(store, now).await.map(drop),
    }
}

pub fn routes() -> Router<State> {
    Router::new().route("/isobar/keys", get(publish))
}

/// Public keys for anybody; revocations only for our own services and administrators, because they name users.
async fn publish(FromState(state): FromState<State>, headers: HeaderMap) -> Answer {
    let set = keys(state.store()).await?;
    let trusted = match caller::header(&headers, "x-auth-token") {
        None => false,
        Some(token) => {
            let (who, _) = state.verifier().verify_fresh(&token, state.now()).await?;
            who.roles.iter().any(|role| role == "service" || role == "admin")
        }
    };
    Ok(ok(match trusted {
        true => json!({ "keys": set.keys, "revocations": set.revocations }),
        false => json!({ "keys": set.keys }),
    }))
}
