//! Cloud accounts: where servers can be made. Connecting, syncing and deleting are workflows.

pub mod connect;
pub mod delete;
pub mod drivers;
pub mod sync;

use std::collections::HashMap;

use auth::Cx;
use store::{
    Found, Row, Scoped, Store, Tx,
    sea_orm::{
        self,
        ActiveValue::Set,
        QueryFilter,
        entity::prelude::*,
        sea_query::{Expr, ExprTrait},
    },
};
use task::{ReconcileCx, Resource, Target};
use types::{
    AccountId, Json, Result, Timestamp, ZoneId,
    api::{account as api, check_name},
    states,
};
use web::Made;

use crate::{
    State,
    flavor::taken,
    host,
    place::zone,
    swap::{relabel, swap},
    tasks::holders,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    pub name: String,
    pub driver: String,
    /// The credential. Never shown.
    pub options: Json<serde_json::Value>,
    pub capabilities: Json<serde_json::Value>,
    pub state: states::Account,
    pub fault: Option<String>,
    pub zone_id: ZoneId,
    pub synced_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "cloud-account";
    const SCOPED: Scoped = Scoped::Shared;
    const TOMBSTONE: Option<&'static str> = Some("deleted");
    const HIDDEN: &'static [&'static str] = &["options"];
}

pub fn new_row(
    name: &str,
    driver: &str,
    options: serde_json::Value,
    zone: ZoneId,
    state: states::Account,
) -> ActiveModel {
    let now = Timestamp::now();
    ActiveModel {
        id: Set(AccountId::new()),
        name: Set(name.to_owned()),
        driver: Set(driver.to_owned()),
        options: Set(Json(options)),
        capabilities: Set(Json(serde_json::json!({}))),
        state: Set(state),
        fault: Set(None),
        zone_id: Set(zone),
        synced_at: Set(None),
        created_at: Set(now),
        updated_at: Set(now),
        version: Set(1),
    }
}

/// Accounts whose clouds are looked at: also one that failed after it had answered once, since its servers go on.
pub async fn live(store: &Store) -> Result<Vec<Model>> {
    let well = Column::State.is_in([states::Account::Connected, states::Account::Syncing]);
    let failed = Column::State
        .eq(states::Account::Failed)
        .and(Column::SyncedAt.is_not_null());
    store.all(Entity::find().filter(well.or(failed))).await
}

/// Deleted, so that its cloud cannot be asked any more.
pub async fn is_forgotten(store: &Store, id: AccountId) -> Result<bool> {
    let row = store.one(Entity::find_by_id(id)).await?;
    Ok(row.is_none_or(|row| row.state == states::Account::Deleted))
}

/// The same, for a round that looks at each of them.
pub async fn resources(cx: ReconcileCx) -> Result<Vec<Resource<Model>>> {
    let resource = |row: Model| Resource {
        id: format!("{}/{}", Entity::NOUN, row.id),
        name: format!("cloud account `{}`", row.name),
        generation: row.version,
        value: row,
    };
    Ok(live(cx.store()).await?.into_iter().map(resource).collect())
}

/// Its cloud was looked at and answered: an account that had failed is connected again.
pub async fn answered(store: &Store, cx: &Cx, account: &Model) -> Result<()> {
    let is_first = account.state == states::Account::Connected && account.synced_at.is_none();
    if !is_first && account.state != states::Account::Failed {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    let changed = swap::<Entity>(&tx, account.id, account.version, |u| {
        u.col_expr(Column::State, Expr::value(states::Account::Connected))
            .col_expr(Column::Fault, Expr::value(None::<String>))
            .col_expr(Column::SyncedAt, Expr::value(Timestamp::now()))
    });
    match changed.await {
        Ok(row) => {
            web::noun::announce::<Entity>(cx, &mut tx, &row, row.state.as_str()).await?;
            tx.commit().await
        }
        // Somebody was faster, for example a sync that has begun; the next look sees what became of it.
        Err(error) if error.code == "version_mismatch" => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a task about this account holds.
pub fn target(row: &Model) -> Target {
    Target {
        noun: Entity::NOUN,
        id: row.id.to_string(),
        name: row.name.clone(),
        owner: None,
    }
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "cloud-accounts";
    const ABOUT: &'static str = "Cloud accounts: where servers can be made; a private site is one like any other.";
    type View = api::View;

    async fn views(state: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::View>> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let tasks = holders(&state.store, Self::NOUN, &ids).await?;
        let hosts = state
            .store
            .all(host::Entity::find().filter(host::Column::AccountId.is_in(ids)))
            .await?;
        let mut count: HashMap<AccountId, i64> = HashMap::new();
        hosts
            .iter()
            .for_each(|host| *count.entry(host.account_id).or_default() += 1);
        Ok(rows
            .into_iter()
            .map(|row| api::View {
                task: tasks.get(&row.id.to_string()).copied(),
                hosts: count.get(&row.id).copied().unwrap_or_default(),
                id: row.id,
                name: row.name,
                driver: row.driver,
                state: row.state,
                fault: row.fault,
                capabilities: row.capabilities.0,
                synced_at: row.synced_at,
                created_at: row.created_at,
                updated_at: row.updated_at,
                version: row.version,
            })
            .collect())
    }
}

impl web::Create<State> for Entity {
    type Input = api::Create;
    type Ready = (api::Create, ZoneId);

    async fn ready(state: &State, _: &Cx, input: api::Create) -> Result<Self::Ready> {
        check_name("cloud-account", &input.name)?;
        state.clouds.drivers().get(&input.driver)?;
        Ok((input, zone::first(&state.store).await?.id))
    }

    async fn create(_: &State, cx: &Cx, tx: &mut Tx, (input, zone): Self::Ready) -> Result<Made<Self>> {
        let options = serde_json::Value::Object(input.options.into_iter().collect());
        let row = new_row(&input.name, &input.driver, options, zone, states::Account::Connecting);
        let row = tx.insert(row).await.map_err(|e| taken(e, Self::NOUN, &input.name))?;
        let task = task::start(cx, tx, &connect::Connect { account: row.id }, target(&row)).await?;
        Ok(Made::by(task, row))
    }
}

impl web::Update<State> for Entity {
    type Input = api::Update;

    async fn update(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>, input: api::Update) -> Result<Model> {
        relabel::<Self>(tx, found.id, found.version, input.name, None).await
    }
}

impl web::Delete<State> for Entity {
    async fn delete(_: &State, cx: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        delete::begin(cx, tx, found.into_inner()).await
    }
}
