//! Networks: ranges of addresses. They come into being on a host when the first server there needs them.

pub mod delete;
pub mod ensure;
pub mod range;

use auth::Cx;
use contract::network::{Mode, NetworkSpec};
use store::{
    Found, Row, Scoped, Tx,
    sea_orm::{self, ActiveValue::Set, entity::prelude::*},
};
use task::Target;
use types::{
    DomainId, Json, NetworkId, ProjectId, Result, Timestamp,
    api::{Tags, check_name, check_tags, network as api},
    states,
};
use web::Made;

use crate::{State, address, flavor::taken, swap::relabel, tasks::holders};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "network")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NetworkId,
    pub name: String,
    pub project_id: ProjectId,
    pub domain_id: DomainId,
    pub state: states::Network,
    pub fault: Option<String>,
    pub cidr: String,
    pub gateway: String,
    pub bridge: Option<String>,
    pub dns: Json<Vec<String>>,
    pub tags: Json<Tags>,
    pub total: i64,
    pub used: i64,
    pub hint: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// What a cloud is asked for.
    pub fn spec(&self) -> NetworkSpec {
        NetworkSpec {
            name: self.name.clone(),
            cidr: self.cidr.clone(),
            gateway: self.gateway.clone(),
            mode: match self.bridge.clone() {
                Some(bridge) => Mode::Bridge { bridge },
                None => Mode::Nat,
            },
        }
    }
}

impl Row for Entity {
    const NOUN: &'static str = "network";
    const SCOPED: Scoped = Scoped::Project;
    const TOMBSTONE: Option<&'static str> = Some("deleted");
}

/// What a task about this network holds.
pub fn target(row: &Model) -> Target {
    let owner = Some((row.project_id.clone(), row.domain_id.clone()));
    Target {
        noun: Entity::NOUN,
        id: row.id.to_string(),
        name: row.name.clone(),
        owner,
    }
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "networks";
    const ABOUT: &'static str = "Networks: ranges of addresses that servers get theirs from.";
    type View = api::View;

    async fn views(state: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::View>> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let tasks = holders(&state.store, Self::NOUN, &ids).await?;
        Ok(rows
            .into_iter()
            .map(|row| api::View {
                task: tasks.get(&row.id.to_string()).copied(),
                id: row.id,
                name: row.name,
                state: row.state,
                fault: row.fault,
                cidr: row.cidr,
                gateway: row.gateway,
                bridge: row.bridge,
                dns: row.dns.0,
                total: row.total,
                used: row.used,
                tags: row.tags.0,
                project_id: row.project_id,
                created_at: row.created_at,
                updated_at: row.updated_at,
                version: row.version,
            })
            .collect())
    }
}

impl web::Create<State> for Entity {
    type Input = api::Create;
    type Ready = (api::Create, range::Range);

    async fn ready(_: &State, _: &Cx, input: api::Create) -> Result<Self::Ready> {
        check_name("network", &input.name)?;
        check_tags(&input.tags)?;
        let range = range::Range::parse(&input.cidr, input.gateway.as_deref())?;
        if let Some(bridge) = &input.bridge
            && (bridge.is_empty()
                || bridge.len() > 15
                || !bridge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)))
        {
            return Err(types::Error::invalid(format!(
                "`{bridge}` is not the name of a bridge: 1 to 15 letters, digits, `-`, `_` or `.`"
            )));
        }
        if let Some(wrong) = input.dns.iter().find(|dns| dns.parse::<std::net::IpAddr>().is_err()) {
            return Err(types::Error::invalid(format!(
                "`{wrong}` is not the address of a name server"
            )));
        }
        Ok((input, range))
    }

    async fn create(_: &State, cx: &Cx, tx: &mut Tx, (input, range): Self::Ready) -> Result<Made<Self>> {
        let (project, domain) = cx.project()?;
        tx.charge(project, &[("networks", 1)]).await?;
        let now = Timestamp::now();
        let row = ActiveModel {
            id: Set(NetworkId::new()),
            name: Set(input.name.clone()),
            project_id: Set(project.clone()),
            domain_id: Set(domain.clone()),
            state: Set(states::Network::Available),
            fault: Set(None),
            cidr: Set(range.cidr()),
            gateway: Set(range.gateway().to_string()),
            bridge: Set(input.bridge),
            dns: Set(Json(input.dns)),
            tags: Set(Json(input.tags)),
            total: Set(range.total()),
            used: Set(0),
            hint: Set(range.first()),
            created_at: Set(now),
            updated_at: Set(now),
            version: Set(1),
        };
        let row = tx.insert(row).await.map_err(|e| taken(e, Self::NOUN, &input.name))?;
        address::keep_gateway(tx, &row, &range).await?;
        Ok(Made::now(row))
    }
}

impl web::Update<State> for Entity {
    type Input = api::Update;

    async fn update(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>, input: api::Update) -> Result<Model> {
        relabel::<Self>(tx, found.id, found.version, input.name, input.tags).await
    }
}

impl web::Delete<State> for Entity {
    async fn delete(_: &State, cx: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        delete::begin(cx, tx, found.into_inner()).await
    }
}
