//! What a client may write into an image, one field at a time: the same rules for create and update.

use auth::{Cx, Reach};
use serde_json::Value;
use types::{Error, Kind, Result};

use crate::{
    image::{self, NOUN, Status, Visibility},
    probe::FORMATS,
    view::{CORE, READ_ONLY},
};

const LONGEST: usize = 255;
const MOST: usize = 128;
/// Properties whose names begin so are ours.
const RESERVED: &str = "os_glance_";

pub fn is_core(key: &str) -> bool {
    CORE.contains(&key)
}

/// Sets a core field or a property.
///
/// Errors: `Denied` for what the service fills or what needs an administrator, `Invalid` for a value that does not fit.
pub fn set(cx: &Cx, image: &mut image::Model, key: &str, value: &Value) -> Result<()> {
    match key {
        "name" => image.name = optional(key, value)?,
        "visibility" => image.visibility = visibility(cx, value)?,
        "min_disk" => image.min_disk = number(key, value)?,
        "min_ram" => image.min_ram = number(key, value)?,
        "protected" => image.protected = flag(key, value)?,
        "os_hidden" => image.os_hidden = flag(key, value)?,
        "tags" => image.tags.0 = tags(value)?,
        "disk_format" => {
            let format = optional(key, value)?;
            fixed(image, key, &image.disk_format, &format)?;
            image.disk_format = known(key, format, &FORMATS.map(|(name, _)| name))?;
        }
        "container_format" => {
            let format = optional(key, value)?;
            fixed(image, key, &image.container_format, &format)?;
            image.container_format = known(key, format, &["bare"])?;
        }
        _ => property(image, key, value)?,
    }
    Ok(())
}

/// Removes a property.
pub fn remove(image: &mut image::Model, key: &str) -> Result<()> {
    writable(key)?;
    if is_core(key) {
        return Err(Error::denied(format!("`{key}` cannot be removed from an image")));
    }
    match image.properties.remove(key) {
        Some(_) => Ok(()),
        None => Err(Error::conflict(format!("image `{}` has no property `{key}`", image.id))),
    }
}

/// Refuses names the service fills.
pub fn writable(key: &str) -> Result<()> {
    if READ_ONLY.contains(&key) || key.starts_with(RESERVED) {
        return Err(Error::denied(format!("`{key}` is read-only: the service fills it")));
    }
    Ok(())
}

pub fn tag(text: &str) -> Result<String> {
    if text.is_empty() || text.chars().count() > LONGEST {
        return Err(Error::invalid(format!("a tag has 1 to {LONGEST} characters")));
    }
    Ok(text.to_owned())
}

/// The most tags an image may have.
pub fn fits(tags: &[String]) -> Result<()> {
    if tags.len() > MOST {
        return Err(Error::new(Kind::Quota, format!("an image has at most {MOST} tags")));
    }
    Ok(())
}

fn property(image: &mut image::Model, key: &str, value: &Value) -> Result<()> {
    writable(key)?;
    let Value::String(text) = value else {
        return Err(Error::invalid(format!(
            "property `{key}` is {value}; properties of an image are text"
        )));
    };
    if key.is_empty() || key.chars().count() > LONGEST {
        return Err(Error::invalid(format!(
            "the name of a property has 1 to {LONGEST} characters"
        )));
    }
    image.properties.insert(key.to_owned(), text.clone());
    if image.properties.len() > MOST {
        return Err(Error::new(
            Kind::Quota,
            format!("an image has at most {MOST} properties"),
        ));
    }
    Ok(())
}

fn visibility(cx: &Cx, value: &Value) -> Result<Visibility> {
    let visibility: Visibility = value.as_str().unwrap_or_default().parse()?;
    if visibility == Visibility::Public && cx.reach(NOUN, "update") != Reach::Everything {
        return Err(Error::denied("only administrators make images public").code("publish_denied"));
    }
    Ok(visibility)
}

/// The format of content that is there does not change.
fn fixed(image: &image::Model, key: &str, old: &str, new: &str) -> Result<()> {
    if image.status == Status::Queued || old == new {
        return Ok(());
    }
    Err(Error::denied(format!(
        "`{key}` can only be set before the content is uploaded"
    )))
}

fn known(key: &str, format: String, formats: &[&str]) -> Result<String> {
    if format.is_empty() || formats.contains(&format.as_str()) {
        return Ok(format);
    }
    Err(Error::invalid(format!(
        "`{key}` is `{format}`; it must be one of {}",
        formats.join(", ")
    )))
}

fn optional(key: &str, value: &Value) -> Result<String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.chars().count() <= LONGEST => Ok(text.clone()),
        _ => Err(Error::invalid(format!(
            "`{key}` is a text of at most {LONGEST} characters, not {value}"
        ))),
    }
}

fn number(key: &str, value: &Value) -> Result<i64> {
    let fits = value.as_i64().filter(|n| (0..=i64::from(i32::MAX)).contains(n));
    fits.ok_or_else(|| Error::invalid(format!("`{key}` is a whole number from 0 to {}, not {value}", i32::MAX)))
}

fn flag(key: &str, value: &Value) -> Result<bool> {
    value
        .as_bool()
        .ok_or_else(|| Error::invalid(format!("`{key}` is true or false, not {value}")))
}

fn tags(value: &Value) -> Result<Vec<String>> {
    let wrong = || Error::invalid(format!("`tags` is a list of texts, not {value}"));
    let mut tags = Vec::new();
    for item in value.as_array().ok_or_else(wrong)? {
        let text = tag(item.as_str().ok_or_else(wrong)?)?;
        if !tags.contains(&text) {
            tags.push(text);
        }
    }
    fits(&tags)?;
    Ok(tags)
}
