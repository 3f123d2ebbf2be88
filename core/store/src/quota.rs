//! What a project may use, charged in the transaction of the create and given back in that of the delete.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};
use serde_json::json;
use types::{Error, Kind, ProjectId, Result};

use crate::{Store, Tx, fault};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
#[sea_orm(table_name = "quota")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub project_id: ProjectId,
    /// `servers`, `vcpus`, `memory_mib`, `disk_gib`, `networks`, `images`, ...
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: String,
    /// Below zero: no limit.
    pub max: i64,
    pub used: i64,
}

impl ActiveModelBehavior for ActiveModel {}

/// What a project gets when nobody decided otherwise.
pub const DEFAULTS: &[(&str, i64)] = &[
    ("servers", 1000),
    ("vcpus", 4000),
    ("memory_mib", 8 << 20),
    ("disk_gib", 200_000),
    ("disks", 4000),
    ("networks", 100),
    ("snapshots", 4000),
    ("keypairs", 200),
    ("images", 1000),
    ("image_gib", 20_000),
];

impl Tx {
    /// Takes all of `amounts`, or fails with `Quota` naming the first that does not fit; nothing is taken then.
    pub async fn charge(&self, project: &ProjectId, amounts: &[(&str, i64)]) -> Result<()> {
        for (resource, amount) in amounts {
            self.open_quota(project, resource).await?;
            let taken = self
                .update(
                    Entity::update_many()
                        .col_expr(Column::Used, Expr::col(Column::Used).add(*amount))
                        .filter(Column::ProjectId.eq(project.as_str()))
                        .filter(Column::Resource.eq(*resource))
                        .filter(
                            Expr::col(Column::Max)
                                .lt(0)
                                .or(Expr::col(Column::Used).add(*amount).lte(Expr::col(Column::Max))),
                        ),
                )
                .await?;
            if taken == 0 {
                return Err(self.exceeded(project, resource, *amount).await);
            }
        }
        Ok(())
    }

    /// Gives back what was charged. Call it exactly once per charge: in the swap that ends the row's life.
    pub async fn refund(&self, project: &ProjectId, amounts: &[(&str, i64)]) -> Result<()> {
        for (resource, amount) in amounts {
            self.update(
                Entity::update_many()
                    .col_expr(Column::Used, Expr::col(Column::Used).sub(*amount))
                    .filter(Column::ProjectId.eq(project.as_str()))
                    .filter(Column::Resource.eq(*resource)),
            )
            .await?;
        }
        Ok(())
    }

    async fn open_quota(&self, project: &ProjectId, resource: &str) -> Result<()> {
        let max = DEFAULTS
            .iter()
            .find(|(name, _)| *name == resource)
            .map_or(-1, |(_, max)| *max);
        let row = ActiveModel {
            project_id: sea_orm::Set(project.clone()),
            resource: sea_orm::Set(resource.to_owned()),
            max: sea_orm::Set(max),
            used: sea_orm::Set(0),
        };
        Entity::insert(row)
            .on_conflict(
                OnConflict::columns([Column::ProjectId, Column::Resource])
                    .do_nothing()
                    .to_owned(),
            )
            .exec_without_returning(self.db())
            .await
            .map(drop)
            .map_err(|e| fault("opening a quota", e))
    }

    async fn exceeded(&self, project: &ProjectId, resource: &str, amount: i64) -> Error {
        let row = self
            .one(Entity::find_by_id((project.clone(), resource.to_owned())))
            .await;
        let (max, used) = row.ok().flatten().map_or((0, 0), |row| (row.max, row.used));
        Error::new(
            Kind::Quota,
            format!("the project's quota of {resource} is {max} and {used} are used: {amount} more do not fit"),
        )
        .details(json!({ "resource": resource, "max": max, "used": used, "asked": amount }))
    }
}

impl Store {
    pub async fn quotas(&self, project: &ProjectId) -> Result<Vec<Model>> {
        self.all(Entity::find().filter(Column::ProjectId.eq(project.as_str())))
            .await
    }
}
