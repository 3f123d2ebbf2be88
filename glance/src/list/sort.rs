//! The order of a list: the keys asked for, then age, then the id, so that every image has its own place.

use sea_orm::{ColumnTrait, Condition, IdenStatic, ModelTrait, Order, QueryOrder, Select};
use types::{Error, Result};

use crate::image::{Column, Entity, Model};

const KEYS: &[(&str, Column)] = &[
    ("name", Column::Name),
    ("status", Column::Status),
    ("container_format", Column::ContainerFormat),
    ("disk_format", Column::DiskFormat),
    ("size", Column::Size),
    ("id", Column::Id),
    ("created_at", Column::CreatedAt),
    ("updated_at", Column::UpdatedAt),
];

pub struct Sort(Vec<(Column, Order)>);

impl Sort {
    /// From `sort=name:asc,size`, or from `sort_key` and `sort_dir`, repeated. Newest first when absent.
    pub fn read(pairs: &[(String, String)]) -> Result<Self> {
        let of = |name: &'static str| {
            pairs
                .iter()
                .filter(move |(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let (short, keys, directions): (Vec<_>, Vec<_>, Vec<_>) =
            (of("sort").collect(), of("sort_key").collect(), of("sort_dir").collect());
        let long = !keys.is_empty() || !directions.is_empty();
        if long && !short.is_empty() {
            return Err(Error::invalid(
                "a list is sorted by `sort`, or by `sort_key` and `sort_dir`, not by both",
            ));
        }
        let mut order = Vec::new();
        for part in short.iter().flat_map(|text| text.split(',')) {
            let (key, direction) = part.split_once(':').unwrap_or((part, "desc"));
            order.push((column(key)?, direction_of(direction)?));
        }
        for (at, key) in keys.iter().enumerate() {
            let direction = directions.get(at).or(directions.first()).copied().unwrap_or("desc");
            order.push((column(key)?, direction_of(direction)?));
        }
        let tail = match (order.last(), directions.first()) {
            (Some((_, direction)), _) => direction.clone(),
            (None, Some(direction)) => direction_of(direction)?,
            (None, None) => Order::Desc,
        };
        for (name, key) in [("created_at", Column::CreatedAt), ("id", Column::Id)] {
            if !order.iter().any(|(have, _)| have.as_str() == name) {
                order.push((key, tail.clone()));
            }
        }
        Ok(Self(order))
    }

    pub fn order(&self, select: Select<Entity>) -> Select<Entity> {
        let each = self.0.iter();
        each.fold(select, |select, (column, order)| {
            select.order_by(*column, order.clone())
        })
    }

    /// What comes after this row.
    pub fn after(&self, row: &Model) -> Condition {
        let mut any = Condition::any();
        for (at, (column, order)) in self.0.iter().enumerate() {
            let mut all = Condition::all();
            for (before, _) in &self.0[..at] {
                all = all.add(before.eq(row.get(*before)));
            }
            let value = row.get(*column);
            any = any.add(all.add(match order {
                Order::Asc => column.gt(value),
                _ => column.lt(value),
            }));
        }
        any
    }
}

fn column(key: &str) -> Result<Column> {
    let known = KEYS.iter().find(|(name, _)| *name == key);
    known.map(|(_, column)| *column).ok_or_else(|| {
        let names: Vec<_> = KEYS.iter().map(|(name, _)| *name).collect();
        Error::invalid(format!(
            "images are not sorted by `{key}`: use one of {}",
            names.join(", ")
        ))
    })
}

fn direction_of(text: &str) -> Result<Order> {
    match text {
        "asc" => Ok(Order::Asc),
        "desc" => Ok(Order::Desc),
        _ => Err(Error::invalid(format!("`{text}` is not a direction: use asc or desc"))),
    }
}
