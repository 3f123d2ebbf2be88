//! The filters of a list. A key that is no field of ours names a custom property.

use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Alias, Expr, ExprTrait, Func, SimpleExpr},
};
use types::{Error, Result, Timestamp};

use crate::{State, image::Column};

/// Conditions that all must hold.
#[derive(Default)]
pub struct Filters {
    all: Vec<Test>,
    hidden: bool,
}

enum Test {
    Plain(SimpleExpr),
    /// The column's JSON text contains this.
    Holds(Column, String),
}

impl Filters {
    pub fn add(&mut self, key: &str, value: &str) -> Result<()> {
        let test = match key {
            "os_hidden" => {
                self.hidden = flag(key, value)?;
                return Ok(());
            }
            "id" => words(Column::Id, value),
            "name" => words(Column::Name, value),
            "status" => words(Column::Status, value),
            "disk_format" => words(Column::DiskFormat, value),
            "container_format" => words(Column::ContainerFormat, value),
            "owner" => Column::ProjectId.eq(value),
            "checksum" => Column::Checksum.eq(value),
            "os_hash_value" => Column::Digest.eq(value),
            "protected" => Column::Protected.eq(flag(key, value)?),
            "size_min" => Column::Size.gte(number(key, value)?),
            "size_max" => Column::Size.lte(number(key, value)?),
            "created_at" => moment(Column::CreatedAt, value)?,
            "updated_at" => moment(Column::UpdatedAt, value)?,
            "tag" => return self.holds(Column::Tags, text(value)),
            // Written as it is in the column, so that neither half of it can hide in another property.
            _ => return self.holds(Column::Properties, format!("{}:{}", text(key), text(value))),
        };
        self.all.push(Test::Plain(test));
        Ok(())
    }

    fn holds(&mut self, column: Column, part: String) -> Result<()> {
        self.all.push(Test::Holds(column, part));
        Ok(())
    }

    pub fn condition(&self, state: &State) -> Result<Condition> {
        let find = if state.store.is_postgres() { "strpos" } else { "instr" };
        let mut all = Condition::all().add(Column::OsHidden.eq(self.hidden));
        for test in &self.all {
            all = all.add(match test {
                Test::Plain(test) => test.clone(),
                Test::Holds(column, part) => Func::cust(Alias::new(find))
                    .arg(Expr::col(*column))
                    .arg(part.as_str())
                    .gt(0),
            });
        }
        Ok(all)
    }
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// `x`, or `in:x,y,"z,z"`.
fn words(column: Column, value: &str) -> SimpleExpr {
    match value.strip_prefix("in:") {
        Some(list) => column.is_in(split(list)),
        None => column.eq(value),
    }
}

fn split(list: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in list.chars() {
        match (c, quoted, words.last_mut()) {
            ('"', ..) => quoted = !quoted,
            (',', false, _) => words.push(String::new()),
            (c, _, Some(word)) => word.push(c),
            _ => {}
        }
    }
    words
}

/// `gt:2026-01-01T00:00:00Z`; without an operator, equal to the second.
fn moment(column: Column, value: &str) -> Result<SimpleExpr> {
    let (op, time) = match value.split_once(':') {
        Some((op, time)) if ["gt", "gte", "lt", "lte", "eq", "neq"].contains(&op) => (op, time),
        _ => ("eq", value),
    };
    let from: Timestamp = time.parse()?;
    let to = from + std::time::Duration::from_secs(1);
    Ok(match op {
        "gt" => column.gte(to),
        "gte" => column.gte(from),
        "lt" => column.lt(from),
        "lte" => column.lt(to),
        "neq" => column.lt(from).or(column.gte(to)),
        _ => column.gte(from).and(column.lt(to)),
    })
}

fn number(key: &str, value: &str) -> Result<i64> {
    value
        .parse()
        .map_err(|_| Error::invalid(format!("`{key}` is a number of bytes, not `{value}`")))
}

fn flag(key: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::invalid(format!("`{key}` is true or false, not `{value}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_of_quotes() {
        assert_eq!(split(r#"a,"b,c",d"#), ["a", "b,c", "d"]);
        assert_eq!(split(""), [""]);
    }
}
