//! Lists for a caller: scoped, filtered, sorted, one page at a time by key, never by offset.

use auth::{Cx, Reach};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sea_orm::{
    ColumnTrait, ColumnType, Condition, EntityTrait, ModelTrait, Order, QueryFilter, QueryOrder, QuerySelect, Select,
    Value,
    sea_query::{Expr, ExprTrait, Func, SimpleExpr},
};
use types::{Error, Result, Size, Timestamp};

use crate::{
    Row, Scoped, Store,
    find::within,
    row::{column, must},
};

/// How a column is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Contains,
    StartsWith,
}

impl Op {
    /// The suffix after a column's name in a query: `name.contains=web`. None means equal.
    pub fn parse(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "" | "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" => Self::Lt,
            "le" => Self::Le,
            "gt" => Self::Gt,
            "ge" => Self::Ge,
            "contains" => Self::Contains,
            "startswith" => Self::StartsWith,
            _ => return None,
        })
    }
}

/// One condition; several values mean any of them.
#[derive(Clone, Debug)]
pub struct Filter {
    pub column: String,
    pub op: Op,
    pub values: Vec<String>,
}

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub filters: Vec<Filter>,
    /// A sortable column, with `-` in front for descending. Newest first when absent.
    pub sort: Option<String>,
    /// 1 to [`Query::MOST`]; [`Query::USUAL`] when absent.
    pub limit: Option<u64>,
    /// `next` of the page before.
    pub after: Option<String>,
    /// Everything within reach, not only the caller's project.
    pub everywhere: bool,
}

impl Query {
    pub const USUAL: u64 = 100;
    pub const MOST: u64 = 1000;
}

/// One page of rows.
#[derive(Clone, Debug)]
pub struct Page<M> {
    pub items: Vec<M>,
    pub next: Option<String>,
}

/// The word for what a list asks of the policy.
pub const LIST: &str = "list";

impl Store {
    /// Errors: `Denied` when the caller may list none, `Invalid` for an unknown column, value, sort or marker.
    pub async fn list<E: Row>(&self, cx: &Cx, query: &Query) -> Result<Page<E::Model>> {
        let reach = narrowed::<E>(cx, cx.reach(E::NOUN, LIST), query.everywhere);
        let Some(mut select) = within::<E>(&reach) else {
            return Err(Error::denied(format!("you may not list {}s", E::NOUN)));
        };
        for filter in &query.filters {
            select = select.filter(condition::<E>(filter)?);
        }
        let limit = query.limit.unwrap_or(Query::USUAL);
        if !(1..=Query::MOST).contains(&limit) {
            return Err(Error::invalid(format!(
                "limit is {limit}; it must be from 1 to {}",
                Query::MOST
            )));
        }
        let sort = Sort::<E>::parse(query.sort.as_deref())?;
        let mut select = sort.order(select);
        if let Some(marker) = &query.after {
            select = select.filter(sort.after(marker)?);
        }
        let mut items = self.all(select.limit(limit + 1)).await?;
        let more = items.len() as u64 > limit;
        items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next = if more {
            items.last().map(|row| sort.marker(row))
        } else {
            None
        };
        Ok(Page { items, next })
    }
}

/// A list shows the caller's own project unless everything within reach was asked for.
fn narrowed<E: Row>(cx: &Cx, reach: Reach, everywhere: bool) -> Reach {
    match (E::SCOPED, cx.project()) {
        (Scoped::Project, Ok((project, _))) if !everywhere && !reach.is_nothing() => Reach::Project(project.clone()),
        _ => reach,
    }
}

fn condition<E: Row>(filter: &Filter) -> Result<Condition> {
    let known = column::<E>(&filter.column).filter(|_| !E::HIDDEN.contains(&filter.column.as_str()));
    let Some(column) = known else {
        return Err(
            Error::invalid(format!("{}s have no `{}` to filter by", E::NOUN, filter.column)).code("unknown_parameter"),
        );
    };
    let mut any = Condition::any();
    for text in &filter.values {
        any = any.add(compare::<E>(column, filter.op, text)?);
    }
    Ok(any)
}

fn compare<E: EntityTrait>(column: E::Column, op: Op, text: &str) -> Result<SimpleExpr> {
    let value = || value_of(&column, text);
    Ok(match op {
        Op::Eq => column.eq(value()?),
        Op::Ne => column.ne(value()?),
        Op::Lt => column.lt(value()?),
        Op::Le => column.lte(value()?),
        Op::Gt => column.gt(value()?),
        Op::Ge => column.gte(value()?),
        Op::Contains => like(column, format!("%{}%", escape(text))),
        Op::StartsWith => like(column, format!("{}%", escape(text))),
    })
}

/// Case-insensitive on both databases.
fn like<C: ColumnTrait>(column: C, pattern: String) -> SimpleExpr {
    let pattern = sea_orm::sea_query::LikeExpr::new(pattern.to_lowercase()).escape('\\');
    Expr::expr(Func::lower(Expr::col(column))).like(pattern)
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Reads a value the way the column holds it.
fn value_of<C: ColumnTrait>(column: &C, text: &str) -> Result<Value> {
    let name = column.as_str();
    let def = column.def();
    match def.get_column_type() {
        ColumnType::Boolean => match text {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(Error::invalid(format!("`{name}` is true or false, not `{text}`"))),
        },
        ColumnType::BigInteger | ColumnType::Integer => text
            .parse::<i64>()
            .ok()
            .or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_micros))
            .or_else(|| text.parse::<Size>().ok().map(|size| size.as_bytes() as i64))
            .map(Value::from)
            .ok_or_else(|| Error::invalid(format!("`{name}` is a number, a size or a time, not `{text}`"))),
        _ => Ok(text.into()),
    }
}

/// The order of a list: one column, then the id, so that every row has its own place.
struct Sort<E: EntityTrait> {
    column: E::Column,
    order: Order,
}

impl<E: Row> Sort<E> {
    fn parse(text: Option<&str>) -> Result<Self> {
        let text = text.unwrap_or("-created_at");
        let (name, order) = match text.strip_prefix('-') {
            Some(name) => (name, Order::Desc),
            None => (text, Order::Asc),
        };
        let column = column::<E>(name).filter(|_| E::SORTABLE.contains(&name));
        let column = column.ok_or_else(|| {
            let known = E::SORTABLE.join(", ");
            Error::invalid(format!(
                "{}s are sorted by one of {known}; put `-` in front for descending",
                E::NOUN
            ))
        })?;
        Ok(Self { column, order })
    }

    fn order(&self, select: Select<E>) -> Select<E> {
        select
            .order_by(self.column, self.order.clone())
            .order_by(must::<E>("id"), self.order.clone())
    }

    fn marker(&self, row: &E::Model) -> String {
        let key = match row.get(self.column) {
            Value::BigInt(Some(n)) => n.to_string(),
            Value::String(Some(text)) => text.to_string(),
            Value::Bool(Some(flag)) => flag.to_string(),
            other => other.to_string(),
        };
        let id = match row.get(must::<E>("id")) {
            Value::String(Some(text)) => text.to_string(),
            other => other.to_string(),
        };
        BASE64_URL_SAFE_NO_PAD.encode(serde_json::json!([key, id]).to_string())
    }

    fn after(&self, marker: &str) -> Result<Condition> {
        let wrong = || Error::invalid("`after` is not a marker that a page of this list gave as `next`");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(marker).map_err(|_| wrong())?;
        let (key, id): (String, String) = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let key = value_of(&self.column, &key).map_err(|_| wrong())?;
        let id_column = must::<E>("id");
        let (beyond, tie) = match self.order {
            Order::Desc => (self.column.lt(key.clone()), id_column.lt(id)),
            _ => (self.column.gt(key.clone()), id_column.gt(id)),
        };
        Ok(Condition::any()
            .add(beyond)
            .add(Condition::all().add(self.column.eq(key)).add(tie)))
    }
}
