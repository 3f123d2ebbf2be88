//! Query parameters of lists: filters by equality or part of a name, and pages by marker.

use axum::extract::Query as FromQuery;
use sea_orm::{
    ColumnTrait, ColumnType, EntityTrait, IdenStatic, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func, LikeExpr, SimpleExpr},
};
use store::row::column;
use types::{Error, Result};

/// The parameters of a request, in order.
pub type Parameters = FromQuery<Vec<(String, String)>>;

/// Rows in one answer when the client names no limit, and at most.
const MOST: usize = 1000;

/// The parameters as handlers ask for them. Unknown ones are ignored, as in the reference.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn new(FromQuery(pairs): Parameters) -> Self {
        Self(pairs)
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(name, _)| name == key)?;
        Some(value)
    }

    /// Present with any value but 0 or false.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(truth)
    }

    pub fn limit(&self) -> Result<Option<usize>> {
        let wrong = |_| Error::invalid("limit must be a number from 1");
        let limit = self.get("limit").map(str::parse).transpose().map_err(wrong)?;
        match limit {
            Some(0) => Err(Error::invalid("limit must be a number from 1")),
            limit => Ok(limit),
        }
    }

    /// Everything but the marker, for the link to the next page.
    fn repeat(&self, limit: usize, marker: &str) -> String {
        let kept = self.0.iter().filter(|(name, _)| name != "marker" && name != "limit");
        let own = [
            ("limit".to_owned(), limit.to_string()),
            ("marker".to_owned(), marker.to_owned()),
        ];
        let pairs: Vec<String> = kept
            .chain(own.iter())
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.join("&")
    }
}

fn truth(value: &str) -> bool {
    !matches!(value, "0" | "false" | "False")
}

fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// Adds the conditions the query names on these columns.
pub fn filter<E: EntityTrait>(mut select: Select<E>, query: &Query, columns: &[&str]) -> Select<E> {
    for (key, value) in &query.0 {
        let (name, comparison) = key.split_once("__").unwrap_or((key, ""));
        let Some(column) = column::<E>(name).filter(|column| columns.contains(&column.as_str())) else {
            continue;
        };
        if let Some(condition) = condition(column, comparison, value) {
            select = select.filter(condition);
        }
    }
    select
}

fn condition<C: ColumnTrait>(column: C, comparison: &str, value: &str) -> Option<SimpleExpr> {
    let escaped = || {
        value
            .to_lowercase()
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_")
    };
    let like = |pattern: String| {
        let pattern = LikeExpr::new(pattern).escape('\\');
        Some(Expr::expr(Func::lower(Expr::col(column))).like(pattern))
    };
    match comparison {
        "" if matches!(column.def().get_column_type(), ColumnType::Boolean) => Some(column.eq(truth(value))),
        "" => Some(column.eq(value)),
        "contains" | "icontains" => like(format!("%{}%", escaped())),
        "startswith" | "istartswith" => like(format!("{}%", escaped())),
        "endswith" | "iendswith" => like(format!("%{}", escaped())),
        _ => None,
    }
}

/// One page of rows and the query string of the next.
pub struct Page<M> {
    pub rows: Vec<M>,
    pub next: Option<String>,
    /// Whether the client asked for a limit and it cut something off.
    pub truncated: bool,
}

/// Runs `read` for one page, ordered by id.
pub async fn page<E, F>(
    select: Select<E>,
    query: &Query,
    id_of: impl Fn(&E::Model) -> String,
    read: impl FnOnce(Select<E>) -> F,
) -> Result<Page<E::Model>>
where
    E: EntityTrait,
    F: Future<Output = Result<Vec<E::Model>>>,
{
    let id = column::<E>("id").ok_or_else(|| Error::broken("this table has no id"))?;
    let asked = query.limit()?;
    let limit = asked.unwrap_or(MOST).min(MOST);
    let mut select = select.order_by_asc(id);
    if let Some(marker) = query.get("marker") {
        select = select.filter(id.gt(marker));
    }
    let mut rows = read(select.limit(limit as u64 + 1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| query.repeat(limit, &id_of(row)));
    Ok(Page {
        rows,
        next,
        truncated: more,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_repeats_the_filters() {
        let pairs = [("name__contains", "a b"), ("marker", "old"), ("limit", "2")];
        let query = Query(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec());
        assert_eq!(query.repeat(2, "new"), "name__contains=a%20b&limit=2&marker=new");
    }

    #[test]
    fn a_flag_is_true_unless_it_says_no() {
        let query = Query(vec![
            ("effective".to_owned(), String::new()),
            ("x".to_owned(), "0".to_owned()),
        ]);
        assert!(query.flag("effective"));
        assert!(!query.flag("x") && !query.flag("absent"));
    }
}
