//! Where a server comes to rest after an operation. Written in the transaction that ends the task.

use auth::Cx;
use store::{Tx, sea_orm::sea_query::Expr};
use task::Outcome;
use types::{
    Result, ServerId, Timestamp,
    states::{Guest, Power, Server},
};

use super::{Column, Entity};
use crate::swap::{current, set};

/// Success rests in `good`. Failure rests in what the cloud last showed, with the reason in `fault`.
pub async fn settle(cx: &Cx, tx: &mut Tx, id: ServerId, outcome: &Outcome, good: Server) -> Result<()> {
    let (next, fault) = match outcome.error() {
        None => (good, None),
        Some(error) => {
            let row = current::<Entity>(tx, id).await?;
            let rest = match row.power_state {
                Power::On => Server::Running,
                Power::Off => Server::Stopped,
                _ => Server::Failed,
            };
            (rest, Some(error.chain()))
        }
    };
    rest(cx, tx, id, next, fault).await
}

/// Puts it into a resting state; what was observed before now is old, and its guest may be another one.
pub async fn rest(cx: &Cx, tx: &mut Tx, id: ServerId, next: Server, fault: Option<String>) -> Result<()> {
    let power = match next {
        Server::Running => Some(Power::On),
        Server::Stopped => Some(Power::Off),
        _ => None,
    };
    let row = set::<Entity>(tx, id, |mut update| {
        update = update
            .col_expr(Column::State, Expr::value(next))
            .col_expr(Column::Fault, Expr::value(fault))
            .col_expr(Column::CommandedAt, Expr::value(Timestamp::now()))
            .col_expr(Column::Guest, Expr::value(None::<Guest>))
            .col_expr(Column::GuestSince, Expr::value(None::<Timestamp>));
        match power {
            Some(power) => update.col_expr(Column::PowerState, Expr::value(power)),
            None => update,
        }
    })
    .await?;
    web::noun::announce::<Entity>(cx, tx, &row, next.as_str()).await
}
