//! The scheduler's claims as the region sees them: whose they are, and on which host. Only forgetting a host changes them.

use store::{
    Tx,
    sea_orm::{
        self, ColumnTrait, EntityTrait, ExprTrait, FromQueryResult, QueryFilter,
        sea_query::{Expr, Query},
    },
};
use types::{HostId, Result, states};

use crate::{disk, server};

#[derive(FromQueryResult)]
struct Claim {
    consumer: String,
}

/// Something that exists and holds capacity of the host, though its row may not name the host yet.
pub async fn holder(tx: &Tx, host: HostId) -> Result<Option<String>> {
    let claims = "SELECT consumer FROM claim WHERE host_id = $1 ORDER BY id";
    for claim in tx.rows::<Claim>(claims, vec![host.to_string().into()]).await? {
        let found = match claim.consumer.split_once('/') {
            Some(("server", id)) => {
                let live = server::Column::State.ne(states::Server::Deleted);
                let row = server::Entity::find().filter(server::Column::Id.eq(id)).filter(live);
                tx.one(row)
                    .await?
                    .map(|row| format!("a claim of server `{}`", row.name))
            }
            Some(("disk", id)) => {
                let live = disk::Column::State.ne(states::Disk::Deleted);
                let row = disk::Entity::find().filter(disk::Column::Id.eq(id)).filter(live);
                tx.one(row).await?.map(|row| format!("a claim of disk `{}`", row.name))
            }
            _ => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Deletes what nobody holds any more.
pub async fn drop_all(tx: &Tx, host: HostId) -> Result<()> {
    for table in ["claim_group", "claim"] {
        let mut delete = Query::delete();
        delete
            .from_table(table)
            .and_where(Expr::col("host_id").eq(host.to_string()));
        tx.execute(&delete).await?;
    }
    Ok(())
}
