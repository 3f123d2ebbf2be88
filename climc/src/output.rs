//! What goes to stdout, in the shape that was asked for. Machine formats carry the objects as the API sent them.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use serde_json::Value;

use crate::{
    failure::Failure,
    noun::Noun,
    select::select,
    table::{self, Column, plain},
};

// Plain comments: clap would turn doc comments on the variants into a long help everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Wide,
    Json,
    Yaml,
    Csv,
    Jsonl,
    Name,
}

/// How output was asked for.
#[derive(Clone, Debug)]
pub struct Output {
    pub format: Format,
    pub columns: Vec<String>,
    pub query: Option<String>,
    pub colour: bool,
}

/// One object, or several.
#[derive(Clone, Copy)]
pub enum Shape {
    One,
    Many,
}

impl Output {
    /// Whether a person reads this, so that sentences may be added.
    pub fn is_for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide) && self.query.is_none()
    }

    pub fn render(&self, noun: &Noun, shape: Shape, items: Vec<Value>) -> Result<String, Failure> {
        let picked = match self.format {
            Format::Json | Format::Yaml | Format::Jsonl if !self.columns.is_empty() => {
                items.iter().map(|item| self.pick(item)).collect()
            }
            _ => items,
        };
        if let Some(path) = &self.query {
            let whole = whole(shape, picked);
            return self.queried(&select(&whole, path));
        }
        match self.format {
            Format::Json => Ok(pretty(&whole(shape, picked))),
            Format::Yaml => yaml(&whole(shape, picked)),
            Format::Jsonl => Ok(picked.iter().map(|item| format!("{item}\n")).collect()),
            Format::Name => Ok(picked.iter().map(|item| format!("{}\n", name(item))).collect()),
            Format::Csv => Ok(self.csv(noun, &picked)),
            Format::Table | Format::Wide => Ok(self.table(noun, shape, &picked)),
        }
    }

    /// Writes to stdout; a reader that went away is no error.
    pub fn print(&self, noun: &Noun, shape: Shape, items: Vec<Value>) -> Result<(), Failure> {
        write(&self.render(noun, shape, items)?)
    }

    fn columns<'a>(&'a self, noun: &'a Noun) -> Vec<Column<'a>> {
        let wide: &[&str] = if self.format == Format::Wide { noun.wide } else { &[] };
        let known = noun.columns.iter().chain(noun.wide).map(|text| Column::new(text));
        if self.columns.is_empty() {
            return noun.columns.iter().chain(wide).map(|text| Column::new(text)).collect();
        }
        let find = |path: &'a str| known.clone().find(|column| column.path == path);
        self.columns
            .iter()
            .map(|path| find(path).unwrap_or(Column::new(path)))
            .collect()
    }

    fn table(&self, noun: &Noun, shape: Shape, items: &[Value]) -> String {
        let columns = self.columns(noun);
        match (shape, items) {
            (Shape::One, [item]) if self.columns.is_empty() => table::record(item, &columns, self.colour),
            _ if columns.is_empty() => items.iter().map(|item| table::record(item, &[], self.colour)).collect(),
            _ => table::list(&columns, items, self.colour),
        }
    }

    fn pick(&self, item: &Value) -> Value {
        self.columns
            .iter()
            .map(|path| (path.clone(), select(item, path)))
            .collect()
    }

    fn csv(&self, noun: &Noun, items: &[Value]) -> String {
        let columns = self.columns(noun);
        let line = |cells: Vec<String>| format!("{}\n", cells.join(","));
        let mut text = line(columns.iter().map(|column| quoted(column.path)).collect());
        for item in items {
            let cells = columns.iter().map(|column| quoted(&plain(&select(item, column.path))));
            text.push_str(&line(cells.collect()));
        }
        text
    }

    /// A scalar alone is printed bare unless JSON was asked for: it is wanted in a script's variable.
    fn queried(&self, value: &Value) -> Result<String, Failure> {
        match (self.format, value) {
            (Format::Json, value) => Ok(pretty(value)),
            (Format::Yaml, value) => yaml(value),
            (Format::Jsonl, value) => Ok(format!("{value}\n")),
            (_, Value::Array(items)) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
                Ok(items.iter().map(|item| format!("{}\n", plain(item))).collect())
            }
            (_, Value::Object(_) | Value::Array(_)) => Ok(pretty(value)),
            (_, scalar) => Ok(format!("{}\n", plain(scalar))),
        }
    }
}

pub fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::local("the output cannot be written", error)),
        Ok(()) => Ok(()),
    }
}

/// Whether colour may be used on stdout.
pub fn colour(refused: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !refused && !set("NO_COLOR") && (std::io::stdout().is_terminal() || set("CLICOLOR_FORCE"))
}

/// What a thing is called: its name, or its id where it has none.
pub fn name(item: &Value) -> String {
    let keys = ["name", "id", "resource", "kind", "address"];
    let found = keys
        .iter()
        .find_map(|key| item.get(key)?.as_str().filter(|text| !text.is_empty()));
    found.unwrap_or_default().to_owned()
}

fn whole(shape: Shape, mut items: Vec<Value>) -> Value {
    match shape {
        Shape::One if items.len() == 1 => items.remove(0),
        _ => Value::Array(items),
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn yaml(value: &Value) -> Result<String, Failure> {
    serde_norway::to_string(value).map_err(|e| Failure::local("this cannot be written as YAML", e))
}

/// As RFC 4180 wants it.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::noun::Home;

    static NOUN: Noun = Noun {
        name: "server",
        about: "",
        home: Home::Region("servers"),
        columns: &["name", "state"],
        wide: &["size:size"],
        verbs: &[],
    };

    fn check(format: Format, columns: &[&str], query: Option<&str>, expected: Expect) {
        let output = Output {
            format,
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            query: query.map(str::to_owned),
            colour: false,
        };
        let items = vec![
            json!({"name": "a", "state": "running", "size": 1024, "note": null}),
            json!({"name": "b", "state": "say \"hi\", b", "size": 2048, "note": null}),
        ];
        expected.assert_eq(&output.render(&NOUN, Shape::Many, items).unwrap_or_default());
    }

    #[test]
    fn each_format_is_what_its_readers_expect() {
        check(
            Format::Wide,
            &[],
            None,
            expect![[r#"
            NAME  STATE        SIZE
            a     running      1K
            b     say "hi", b  2K
        "#]],
        );
        check(
            Format::Csv,
            &[],
            None,
            expect![[r#"
            name,state
            a,running
            b,"say ""hi"", b"
        "#]],
        );
        check(
            Format::Name,
            &[],
            None,
            expect![[r#"
            a
            b
        "#]],
        );
        check(
            Format::Jsonl,
            &["name", "note"],
            None,
            expect![[r#"
            {"name":"a","note":null}
            {"name":"b","note":null}
        "#]],
        );
        check(
            Format::Yaml,
            &["name"],
            None,
            expect![[r#"
            - name: a
            - name: b
        "#]],
        );
        check(
            Format::Table,
            &[],
            Some("0.size"),
            expect![[r#"
            1024
        "#]],
        );
        check(
            Format::Json,
            &[],
            Some("name"),
            expect![[r#"
            [
              "a",
              "b"
            ]
        "#]],
        );
    }
}
