//! The body of a create or update: known attributes are taken out one by one, the rest is kept as `extra`.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
};
use serde_json::{Map, Value};
use types::{Error, Result};

use crate::{answer::Failure, password::Secret};

/// The largest body accepted, as in the reference.
pub const LARGEST: usize = 114_688;

/// Any JSON object.
pub struct Body(pub Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = axum::response::Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        use axum::{http::StatusCode, response::IntoResponse};
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(IntoResponse::into_response)?;
        if bytes.len() > LARGEST {
            let message = format!("the body is larger than {LARGEST} bytes");
            return Err(crate::answer::envelope(StatusCode::PAYLOAD_TOO_LARGE, &message));
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(_) => Err(Failure(Error::invalid("the body must be a JSON object")).into_response()),
            Err(e) => Err(Failure(Error::invalid(format!("the body is not valid JSON: {e}"))).into_response()),
        }
    }
}

impl Body {
    /// The attributes inside the wrapper, `{"user": {...}}`.
    pub fn open(mut self, noun: &'static str) -> Result<Attributes> {
        match self.0.remove(noun) {
            Some(Value::Object(map)) => Ok(Attributes { noun, map, hash: None }),
            _ => Err(Error::invalid(format!("the body must be {{\"{noun}\": {{...}}}}"))),
        }
    }
}

/// What is being set on one object. Each `set` leaves the field alone when the attribute is absent.
pub struct Attributes {
    noun: &'static str,
    map: Map<String, Value>,
    /// The hash of the password among the attributes, made before the transaction.
    pub hash: Option<Secret>,
}

impl Attributes {
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.map.remove(key)
    }

    /// Absent: None. Null: Some(None).
    pub fn text(&mut self, key: &str) -> Result<Option<Option<String>>> {
        match self.map.remove(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text))),
            Some(_) => Err(self.wrong(key, "text")),
        }
    }

    /// A name is never null, empty or longer than `most`.
    pub fn set_name(&mut self, key: &str, most: usize, field: &mut String) -> Result<()> {
        match self.text(key)? {
            None => Ok(()),
            Some(Some(text)) if !text.trim().is_empty() && text.chars().count() <= most => {
                *field = text;
                Ok(())
            }
            Some(_) => Err(self.wrong(key, &format!("1 to {most} characters"))),
        }
    }

    pub fn set_text(&mut self, key: &str, field: &mut String) -> Result<()> {
        if let Some(text) = self.text(key)? {
            *field = text.unwrap_or_default();
        }
        Ok(())
    }

    pub fn set_flag(&mut self, key: &str, field: &mut bool) -> Result<()> {
        match self.map.remove(key) {
            None => Ok(()),
            Some(Value::Bool(flag)) => {
                *field = flag;
                Ok(())
            }
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }

    /// An id of something else; what it must refer to is checked later.
    pub fn set_id<T: std::str::FromStr<Err = Error>>(&mut self, key: &str, field: &mut T) -> Result<()> {
        match self.text(key)? {
            None => Ok(()),
            Some(Some(text)) => {
                *field = text.parse()?;
                Ok(())
            }
            Some(None) => Err(self.wrong(key, "an id")),
        }
    }

    pub fn set_optional<T: std::str::FromStr<Err = Error>>(&mut self, key: &str, field: &mut Option<T>) -> Result<()> {
        if let Some(text) = self.text(key)? {
            *field = text
                .filter(|text| !text.is_empty())
                .map(|text| text.parse())
                .transpose()?;
        }
        Ok(())
    }

    /// An attribute that is decided at creation: giving it again must not change it.
    pub fn keep(&mut self, key: &str, current: Option<&str>) -> Result<()> {
        match self.text(key)? {
            Some(given) if given.as_deref() != current => Err(Error::invalid(format!(
                "the {key} of a {} cannot be changed",
                self.noun
            ))),
            _ => Ok(()),
        }
    }

    /// What is left is kept as it came; null removes.
    pub fn set_extra(&mut self, extra: &mut Map<String, Value>) -> Result<()> {
        for ours in ["id", "links"] {
            self.map.remove(ours);
        }
        for (key, value) in std::mem::take(&mut self.map) {
            if value.is_null() {
                extra.remove(&key);
            } else {
                extra.insert(key, value);
            }
        }
        if extra.len() > 100 {
            return Err(Error::invalid(format!(
                "a {} has at most 100 attributes of your own",
                self.noun
            )));
        }
        Ok(())
    }

    pub fn wrong(&self, key: &str, expected: &str) -> Error {
        Error::invalid(format!("`{key}` of the {} must be {expected}", self.noun))
    }
}
