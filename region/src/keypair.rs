//! Keypairs: public SSH keys that new guests accept.

use auth::Cx;
use store::{
    Found, Row, Scoped, Tx,
    sea_orm::{self, ActiveValue::Set, QueryFilter, entity::prelude::*},
};
use types::{
    DomainId, Error, KeypairId, ProjectId, Result, Timestamp,
    api::{check_name, keypair as api},
};
use web::Made;

use crate::{State, flavor::taken};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keypair")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: KeypairId,
    pub name: String,
    pub project_id: ProjectId,
    pub domain_id: DomainId,
    pub public_key: String,
    pub created_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "keypair";
    const SCOPED: Scoped = Scoped::Project;
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "keypairs";
    const ABOUT: &'static str = "Keypairs: public SSH keys that new guests accept.";
    type View = api::View;

    async fn views(_: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::View>> {
        Ok(rows
            .into_iter()
            .map(|row| api::View {
                id: row.id,
                name: row.name,
                public_key: row.public_key,
                project_id: row.project_id,
                created_at: row.created_at,
                version: row.version,
            })
            .collect())
    }
}

impl web::Create<State> for Entity {
    type Input = api::Create;
    type Ready = api::Create;

    async fn ready(_: &State, _: &Cx, mut input: api::Create) -> Result<api::Create> {
        check_name("keypair", &input.name)?;
        input.public_key = input.public_key.trim().to_owned();
        let mut words = input.public_key.split_ascii_whitespace();
        let known = words
            .next()
            .is_some_and(|kind| ["ssh-", "ecdsa-", "sk-"].iter().any(|start| kind.starts_with(start)));
        let body = words.next().is_some_and(|body| body.starts_with("AAAA"));
        if !known || !body || input.public_key.len() > 16_384 || input.public_key.contains('\n') {
            let message = format!(
                "keypair `{}`: public_key is not one line of an OpenSSH public key file",
                input.name
            );
            return Err(Error::invalid(message).code("bad_public_key"));
        }
        Ok(input)
    }

    async fn create(_: &State, cx: &Cx, tx: &mut Tx, input: api::Create) -> Result<Made<Self>> {
        let (project, domain) = cx.project()?;
        tx.charge(project, &[("keypairs", 1)]).await?;
        let row = tx
            .insert(ActiveModel {
                id: Set(KeypairId::new()),
                name: Set(input.name.clone()),
                project_id: Set(project.clone()),
                domain_id: Set(domain.clone()),
                public_key: Set(input.public_key),
                created_at: Set(Timestamp::now()),
                version: Set(1),
            })
            .await
            .map_err(|e| taken(e, "keypair", &input.name))?;
        Ok(Made::now(row))
    }
}

impl web::Delete<State> for Entity {
    async fn delete(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        let row = found.into_inner();
        if tx.delete(Entity::delete_many().filter(Column::Id.eq(row.id))).await? == 1 {
            tx.refund(&row.project_id, &[("keypairs", 1)]).await?;
        }
        Ok(Made::now(row))
    }
}
