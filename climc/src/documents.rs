//! Batches: what `-f FILE` holds, as a list of objects. YAML documents, a JSON array, or JSON objects one after another.

use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;

pub fn load(file: &str) -> Result<Vec<Value>, Failure> {
    let mut text = String::new();
    let read = match file {
        "-" => std::io::stdin().read_to_string(&mut text).map(drop),
        path => std::fs::read_to_string(path).map(|content| text = content),
    };
    read.map_err(|e| Failure::local(format!("`{file}` cannot be read"), e))?;
    let documents = parse(&text).map_err(|message| Failure::usage(format!("`{file}` {message}")))?;
    match documents.is_empty() {
        true => Err(Failure::usage(format!("`{file}` describes nothing"))),
        false => Ok(documents),
    }
}

fn parse(text: &str) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    for value in values(text)? {
        match value {
            Value::Array(items) => found.extend(items),
            Value::Null => {}
            other => found.push(other),
        }
    }
    match found.iter().find(|value| !value.is_object()) {
        Some(other) => Err(format!("holds `{other}` where an object is expected")),
        None => Ok(found),
    }
}

fn values(text: &str) -> Result<Vec<Value>, String> {
    if text.trim_start().starts_with(['{', '[']) {
        let json: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
        if let Ok(json) = json {
            return Ok(json);
        }
    }
    serde_norway::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).map_err(|e| format!("is neither YAML nor JSON: {e}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_in_any_packing() {
        for text in [
            "name: a\n---\nname: b\n",
            "- name: a\n- name: b\n",
            "[{\"name\":\"a\"},{\"name\":\"b\"}]",
            "{\"name\":\"a\"}\n{\"name\":\"b\"}\n",
        ] {
            let names: Vec<_> = parse(text).unwrap().iter().map(|v| v["name"].clone()).collect();
            assert_eq!(names, ["a", "b"], "{text}");
        }
        assert!(parse("just words").is_err());
        assert_eq!(parse(""), Ok(vec![]));
    }
}
