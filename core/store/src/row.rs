//! What the store must know of a table to select only what a caller may see.

use sea_orm::{EntityTrait, IdenStatic, Iterable};

/// Who owns the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scoped {
    /// By a project: columns `project_id` and `domain_id`.
    Project,
    /// By nobody in particular: visible to whoever may list the noun at all.
    Shared,
}

/// An entity that callers may name. By convention it has the columns `id`, `name` and `created_at`.
pub trait Row: EntityTrait<Model: Sync> {
    /// The singular word in routes, events, errors and policies: `server`.
    const NOUN: &'static str;
    const SCOPED: Scoped;
    /// Rows in this state (column `state`) are tombstones: kept for history, never shown.
    const TOMBSTONE: Option<&'static str> = None;
    /// Columns a list may be sorted by; each is not null and has an index that starts with it or few rows.
    const SORTABLE: &'static [&'static str] = &["created_at", "name", "id"];
    /// Columns no caller may filter by.
    const HIDDEN: &'static [&'static str] = &[];
}

/// The column of this name.
pub fn column<E: EntityTrait>(name: &str) -> Option<E::Column> {
    E::Column::iter().find(|column| column.as_str() == name)
}

/// A column every [`Row`] has.
pub(crate) fn must<E: EntityTrait>(name: &str) -> E::Column {
    column::<E>(name).expect("a Row has the columns its scope needs; `rows_have_their_columns` checks it")
}
