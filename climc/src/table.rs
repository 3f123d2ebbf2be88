//! Tables for people: aligned by what a terminal shows, states in colour, no lines that copying would catch.

use serde_json::Value;
use types::{Size, Timestamp};
use unicode_width::UnicodeWidthStr;

use crate::select::select;

/// A column as nouns write it: `path`, or `path:size`, `path:age` (since then), `path:in` (until then).
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    pub path: &'a str,
    format: &'a str,
}

impl<'a> Column<'a> {
    pub fn new(text: &'a str) -> Self {
        let (path, format) = text.split_once(':').unwrap_or((text, ""));
        Self { path, format }
    }

    fn title(&self) -> String {
        match self.format {
            "age" | "in" => self
                .path
                .trim_end_matches("_at")
                .replace("created", "age")
                .to_uppercase(),
            _ => self.path.split('.').next().unwrap_or_default().to_uppercase(),
        }
    }

    fn cell(&self, item: &Value, now: Timestamp) -> String {
        let value = select(item, self.path);
        match (self.format, &value) {
            ("size", Value::Number(n)) => size(n.as_u64().unwrap_or_default()),
            ("age", Value::String(text)) => text.parse().map_or(text.clone(), |at| age(now.since(at).as_secs())),
            ("in", Value::String(text)) => text
                .parse()
                .map_or(text.clone(), |at: Timestamp| age(at.since(now).as_secs())),
            _ => plain(&value),
        }
    }
}

/// A value in a cell or a CSV field: text as it is, lists with commas, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn size(bytes: u64) -> String {
    let exact = Size::bytes(bytes).to_string();
    if exact.len() <= 5 {
        return exact;
    }
    let (mut amount, mut unit) = (bytes as f64, "");
    for next in ["K", "M", "G", "T"] {
        if amount >= 1024.0 {
            (amount, unit) = (amount / 1024.0, next);
        }
    }
    format!("{amount:.1}{unit}")
}

fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// One row per item.
pub fn list(columns: &[Column], items: &[Value], colour: bool) -> String {
    let now = Timestamp::now();
    let mut rows = vec![columns.iter().map(Column::title).collect::<Vec<_>>()];
    rows.extend(
        items
            .iter()
            .map(|item| columns.iter().map(|column| column.cell(item, now)).collect()),
    );
    aligned(&rows, colour)
}

/// One line per field.
pub fn record(item: &Value, columns: &[Column], colour: bool) -> String {
    let now = Timestamp::now();
    let format = |key: &str| {
        columns
            .iter()
            .find(|column| column.path == key && column.format == "size")
    };
    let Value::Object(fields) = item else {
        return format!("{}\n", plain(item));
    };
    let rows: Vec<_> = fields
        .iter()
        .map(|(key, value)| {
            let text = format(key).map_or_else(|| field(value), |column| column.cell(item, now));
            vec![key.clone(), text]
        })
        .collect();
    aligned(&rows, colour)
}

/// A list of objects is easier to read one under another, but a record has one line per field.
fn field(value: &Value) -> String {
    match value {
        Value::Array(items) if items.iter().any(Value::is_object) => value.to_string(),
        Value::Object(map) if map.is_empty() => String::new(),
        _ => plain(value),
    }
}

fn aligned(rows: &[Vec<String>], colour: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |n: usize| {
        rows.iter()
            .filter_map(|row| row.get(n))
            .map(|cell| cell.width())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let pad = width.saturating_sub(cell.width()) + 2;
            line.push_str(&cell.replace(['\n', '\r'], " "));
            line.push_str(&" ".repeat(pad));
        }
        let line = line.trim_end();
        text.push_str(&if colour { painted(line, row) } else { line.to_owned() });
        text.push('\n');
    }
    text
}

/// Colours the words that are states.
fn painted(line: &str, row: &[String]) -> String {
    let mut line = line.to_owned();
    for word in row {
        let code = match word.as_str() {
            "running" | "available" | "in_use" | "ready" | "connected" | "succeeded" | "active" | "on" => "32",
            "failed" | "lost" | "crashed" | "missing" | "needs_operator" | "killed" => "31",
            "scheduling" | "building" | "starting" | "stopping" | "rebooting" | "deleting" | "queued" | "undoing"
            | "creating" | "syncing" | "connecting" | "degraded" | "draining" | "preparing" | "saving" => "33",
            _ => continue,
        };
        if let Some(at) = line.find(&format!(" {word}")) {
            let end = at + 1 + word.len();
            line.insert_str(end, "\x1b[0m");
            line.insert_str(at + 1, &format!("\x1b[{code}m"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up_whatever_is_in_them() {
        let columns = ["name", "state", "memory:size", "addresses.address"].map(Column::new);
        let items = [
            json!({"name": "web", "state": "running", "memory": 536870912, "addresses": [{"address": "10.0.0.2"}, {"address": "10.1.0.2"}]}),
            json!({"name": "数据库", "state": "failed", "memory": 1500000000, "addresses": []}),
        ];
        expect![[r#"
            NAME    STATE    MEMORY  ADDRESSES
            web     running  512M    10.0.0.2,10.1.0.2
            数据库  failed   1.4G
        "#]]
        .assert_eq(&list(&columns, &items, false));
        assert!(list(&columns, &items, true).contains("\x1b[32mrunning\x1b[0m"));
        expect![[r#"
            memory  512M
            name    web
            tags
        "#]]
        .assert_eq(&record(
            &json!({"name": "web", "memory": 536870912, "tags": {}}),
            &columns,
            false,
        ));
    }
}
