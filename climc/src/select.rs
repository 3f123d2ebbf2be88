//! Picking values out of JSON: `a.b`, `0.name`, `/a/b`. A name applied to an array is applied to each element.

use serde_json::Value;

/// What `path` leads to; null where it leads nowhere.
pub fn select(value: &Value, path: &str) -> Value {
    let (path, separator) = match path.strip_prefix('/') {
        Some(pointer) => (pointer, '/'),
        None => (path.trim_start_matches('.'), '.'),
    };
    let steps: Vec<&str> = path.split(separator).filter(|step| !step.is_empty()).collect();
    walk(value, &steps)
}

fn walk(value: &Value, steps: &[&str]) -> Value {
    let Some((step, rest)) = steps.split_first() else {
        return value.clone();
    };
    match value {
        Value::Array(items) => match step.parse::<usize>() {
            Ok(index) => items.get(index).map_or(Value::Null, |item| walk(item, rest)),
            Err(_) => {
                let steps = if matches!(*step, "*" | "[]") { rest } else { steps };
                Value::Array(items.iter().map(|item| walk(item, steps)).collect())
            }
        },
        Value::Object(map) => map.get(*step).map_or(Value::Null, |item| walk(item, rest)),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        let value = json!([{"name": "a", "at": {"x": 1}}, {"name": "b", "at": {"x": 2}}]);
        for (path, expected) in [
            ("name", json!(["a", "b"])),
            ("*.at.x", json!([1, 2])),
            ("1.name", json!("b")),
            ("/0/at/x", json!(1)),
            ("7.name", json!(null)),
            ("", value.clone()),
        ] {
            assert_eq!(select(&value, path), expected, "{path}");
        }
    }
}
