//! Many servers without making them: rows copied in SQL from one that was made, so that any schema fits.

use anyhow::{Result, ensure};

use super::database::Database;

/// The server that rows are copied from.
pub const MODEL: &str = "post-0";

/// Text of n with leading zeros: valid at the end of an id, and sorted like n.
const DIGITS: &str = "substr(CAST(10000000000 + n AS TEXT), 2)";

type Changes<'a> = &'a [(&'a str, String)];

/// `count` servers, half of them running, each with an address and a disk as lists show them.
pub fn servers(database: &Database, count: usize) -> Result<()> {
    let derived = |column: &str| format!("substr({column}, 1, length({column}) - 10) || {DIGITS}");
    let card = [4, 6, 8, 10]
        .map(|at| format!("substr(CAST(10000000000 + n AS TEXT), {at}, 2)"))
        .join(" || ':' || ");
    let server = [
        ("id", derived("id")),
        ("name", "'seed-' || n".to_owned()),
        (
            "state",
            "CASE WHEN n % 2 = 0 THEN 'running' ELSE 'stopped' END".to_owned(),
        ),
        ("created_at", "created_at + n".to_owned()),
        // Nobody observes what is nowhere.
        ("external_id", "NULL".to_owned()),
    ];
    let address = [
        ("id", derived("id")),
        ("server_id", derived("server_id")),
        ("number", "number + 1000000 + n".to_owned()),
        (
            "address",
            "'10.' || (100 + n / 65536) || '.' || (n / 256 % 256) || '.' || (n % 256)".to_owned(),
        ),
        ("mac", format!("'52:54:' || {card}")),
    ];
    let disk = [
        ("id", derived("id")),
        ("name", "'seed-' || n".to_owned()),
        ("server_id", derived("server_id")),
        ("external_id", "NULL".to_owned()),
    ];
    let of_model = format!("server_id = (SELECT id FROM server WHERE name = '{MODEL}')");
    copy(database, "server", &format!("name = '{MODEL}'"), &server, count)?;
    copy(database, "address", &of_model, &address, count)?;
    copy(database, "disk", &of_model, &disk, count)?;
    database.run(match database {
        Database::Sqlite(_) => "ANALYZE;",
        Database::Postgres(_) => "VACUUM ANALYZE;",
    })?;
    Ok(())
}

fn copy(database: &Database, table: &str, of: &str, changes: Changes, count: usize) -> Result<()> {
    let columns = database.columns(table)?;
    for (column, _) in changes {
        ensure!(
            columns.iter().any(|known| known == column),
            "table {table} has no column {column}: mend xtask/src/bench/seed.rs"
        );
    }
    database.run(&statement(table, &columns, of, changes, count))?;
    Ok(())
}

/// Understood by both databases.
fn statement(table: &str, columns: &[String], of: &str, changes: Changes, count: usize) -> String {
    let value = |column: &String| {
        let change = changes.iter().find(|(changed, _)| changed == column);
        change.map_or_else(|| column.clone(), |(_, value)| value.clone())
    };
    let values: Vec<_> = columns.iter().map(value).collect();
    format!(
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {count})
INSERT INTO {table} ({}) SELECT {} FROM (SELECT * FROM {table} WHERE {of} LIMIT 1) AS model, g;",
        columns.join(", "),
        values.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_copied_but_for_what_changes() {
        let columns = ["id", "tags"].map(str::to_owned);
        let sql = statement("disk", &columns, "id = 'a'", &[("id", "'x' || n".to_owned())], 3);
        assert!(sql.ends_with(
            "INSERT INTO disk (id, tags) SELECT 'x' || n, tags FROM (SELECT * FROM disk WHERE id = 'a' LIMIT 1) AS model, g;"
        ));
    }
}
