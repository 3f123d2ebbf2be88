//! What a login asks: who, by which proof, for what.

use serde::Deserialize;
use types::{Error, Result};

use crate::attributes::Body;

#[derive(Debug, Deserialize)]
struct Wrapper {
    auth: Request,
}

#[derive(Debug, Deserialize)]
pub struct Request {
    pub identity: Identity,
    pub scope: Option<Scope>,
}

#[derive(Debug, Deserialize)]
pub struct Identity {
    pub methods: Vec<String>,
    pub password: Option<Password>,
    pub token: Option<Token>,
}

#[derive(Debug, Deserialize)]
pub struct Password {
    pub user: User,
}

#[derive(Deserialize)]
pub struct User {
    pub id: Option<String>,
    pub name: Option<String>,
    pub domain: Option<Key>,
    pub password: String,
}

/// Never the password.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "user {:?} {:?} of {:?}", self.id, self.name, self.domain)
    }
}

#[derive(Deserialize)]
pub struct Token {
    pub id: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a token")
    }
}

/// A domain by id or name.
#[derive(Debug, Deserialize)]
pub struct Key {
    pub id: Option<String>,
    pub name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Project {
    pub id: Option<String>,
    pub name: Option<String>,
    pub domain: Option<Key>,
}

#[derive(Debug, Deserialize)]
pub struct System {
    pub all: bool,
}

/// What the token is to be for.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Scope {
    Word(String),
    Project { project: Project },
    Domain { domain: Key },
    System { system: System },
}

pub fn parse(body: Body) -> Result<Request> {
    let wrapper: Wrapper = serde_json::from_value(body.0.into())
        .map_err(|e| Error::invalid(format!("this is not a login request: {e}")))?;
    if wrapper.auth.identity.methods.is_empty() {
        return Err(Error::invalid(
            "`methods` must name how you prove who you are, for example [\"password\"]",
        ));
    }
    Ok(wrapper.auth)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope(scope: serde_json::Value) -> Option<Scope> {
        let body = json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": "t" } }, "scope": scope } });
        parse(Body(body.as_object().unwrap().clone())).ok()?.scope
    }

    #[test]
    fn every_form_of_scope_is_read() {
        assert!(matches!(scope(json!("unscoped")), Some(Scope::Word(_))));
        assert!(matches!(
            scope(json!({ "project": { "id": "p" } })),
            Some(Scope::Project { .. })
        ));
        assert!(matches!(
            scope(json!({ "domain": { "name": "d" } })),
            Some(Scope::Domain { .. })
        ));
        assert!(matches!(
            scope(json!({ "system": { "all": true } })),
            Some(Scope::System { .. })
        ));
        assert!(scope(json!({ "galaxy": {} })).is_none());
    }

    #[test]
    fn secrets_are_not_printed() {
        let body = json!({ "auth": { "identity": { "methods": ["password", "token"], "token": { "id": "TOK" },
            "password": { "user": { "name": "a", "password": "SECRET" } } } } });
        let text = format!("{:?}", parse(Body(body.as_object().unwrap().clone())).unwrap());
        assert!(!text.contains("SECRET") && !text.contains("TOK"), "{text}");
    }
}
