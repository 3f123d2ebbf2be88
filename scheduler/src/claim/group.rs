//! Members of affinity groups, and the promise that strict rules hold when two schedulers place at once.

use std::collections::BTreeSet;

use engine::{Request, Rule};
use sea_orm::{
    EntityTrait, QueryFilter, QuerySelect,
    entity::prelude::*,
    sea_query::{Func, Query},
};
use store::Tx;
use types::Result;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "claim_group")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub claim_id: String,
    pub host_id: String,
}

impl ActiveModelBehavior for ActiveModel {}

/// Nobody else places members of these groups before the end of the transaction. SQLite has one writer anyway.
pub async fn lock(tx: &Tx, request: &Request) -> Result<()> {
    if !tx.is_postgres() {
        return Ok(());
    }
    let names: BTreeSet<&str> = request.groups.iter().map(|group| group.name.as_str()).collect();
    for name in names {
        let lock = Func::cust("pg_advisory_xact_lock").arg(key(name));
        tx.execute(Query::select().expr(lock)).await?;
    }
    Ok(())
}

/// Whether the strict rules hold, now that `ours` are members too. The groups are locked.
pub async fn agrees(tx: &Tx, request: &Request, ours: &[Model]) -> Result<bool> {
    for group in &request.groups {
        let hosts: BTreeSet<&str> = ours.iter().map(|member| member.host_id.as_str()).collect();
        let members = Entity::find().filter(Column::Name.eq(group.name.as_str()));
        let agrees = match group.rule {
            Rule::PreferTogether | Rule::PreferApart => true,
            Rule::Apart => {
                let there = tx
                    .all(members.filter(Column::HostId.is_in(hosts.iter().copied())))
                    .await?;
                there.len() == hosts.len()
            }
            Rule::Together => {
                let mine: BTreeSet<&str> = ours.iter().map(|member| member.claim_id.as_str()).collect();
                let all = tx.all(members.limit(MOST)).await?;
                let mut others = all.iter().filter(|member| !mine.contains(member.claim_id.as_str()));
                match others.next() {
                    None => hosts.len() == 1,
                    Some(_) => hosts.iter().all(|host| {
                        let is_other = |m: &Model| !mine.contains(m.claim_id.as_str()) && m.host_id == *host;
                        all.iter().any(is_other)
                    }),
                }
            }
        };
        if !agrees {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A group that stays together fits on few hosts; more members than this are not looked at.
const MOST: u64 = 10_000;

/// FNV-1a of the name: the same in every release and replica.
fn key(name: &str) -> i64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}
