//! Projects, users, groups and roles in keystone's Identity v3 format.

use reqwest::Method;
use serde_json::{Value, json};
use types::Kind;

use crate::{Client, Error, Result, Service, call::segment};

/// All things of one kind that keystone keeps: its collection is the noun plus `s`.
pub struct Identity {
    client: Client,
    noun: &'static str,
}

/// Whom a role is given to.
#[derive(Clone, Debug)]
pub enum Who {
    User(String),
    Group(String),
}

/// Where a role holds.
#[derive(Clone, Debug)]
pub enum Target {
    Project(String),
    Domain(String),
    System,
}

/// Giving a role to somebody somewhere; each by name or id.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub role: String,
    pub who: Who,
    pub target: Target,
}

impl Client {
    /// `project`, `user`, `group`, `role`, `domain`, ...
    pub fn identity(&self, noun: &'static str) -> Identity {
        Identity {
            client: self.clone(),
            noun,
        }
    }

    /// Gives a role.
    pub async fn assign(&self, assignment: &Assignment) -> Result<()> {
        let path = self.assignment_path(assignment).await?;
        self.call(Method::PUT, Service::Identity, path).send().await.map(drop)
    }

    /// Takes a role away.
    pub async fn revoke(&self, assignment: &Assignment) -> Result<()> {
        let path = self.assignment_path(assignment).await?;
        self.call(Method::DELETE, Service::Identity, path)
            .send()
            .await
            .map(drop)
    }

    async fn assignment_path(&self, assignment: &Assignment) -> Result<String> {
        let target = match &assignment.target {
            Target::Project(key) => format!("projects/{}", self.identity("project").id(key).await?),
            Target::Domain(key) => format!("domains/{}", self.identity("domain").id(key).await?),
            Target::System => "system".to_owned(),
        };
        let who = match &assignment.who {
            Who::User(key) => format!("users/{}", self.identity("user").id(key).await?),
            Who::Group(key) => format!("groups/{}", self.identity("group").id(key).await?),
        };
        let role = self.identity("role").id(&assignment.role).await?;
        Ok(format!("{target}/{who}/roles/{role}"))
    }
}

impl Identity {
    fn plural(&self) -> String {
        format!("{}s", self.noun)
    }

    pub async fn list(&self, filters: &[(String, String)]) -> Result<Vec<Value>> {
        let mut call = self.client.call(Method::GET, Service::Identity, self.plural());
        for (key, value) in filters {
            call = call.query(key, value);
        }
        let mut body: Value = call.receive().await?;
        match body.get_mut(self.plural()).map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(self.odd()),
        }
    }

    /// The one with this name or id.
    pub async fn get(&self, key: &str) -> Result<Value> {
        if looks_like_id(key)
            && let Some(found) = self.by_id(key).await?
        {
            return Ok(found);
        }
        let mut named = self.list(&[("name".to_owned(), key.to_owned())]).await?;
        named.retain(|item| item.get("name").and_then(Value::as_str) == Some(key));
        match named.len() {
            1 => Ok(named.remove(0)),
            0 => {
                let other = if looks_like_id(key) {
                    None
                } else {
                    self.by_id(key).await?
                };
                other.ok_or_else(|| types::Error::not_found(self.noun, key).into())
            }
            many => {
                let message = format!("{many} {}s are named `{key}`: use an id", self.noun);
                Err(types::Error::conflict(message).code("ambiguous_name").into())
            }
        }
    }

    async fn by_id(&self, id: &str) -> Result<Option<Value>> {
        let path = format!("{}/{}", self.plural(), segment(id));
        match self.client.call(Method::GET, Service::Identity, path).receive().await {
            Ok(body) => self.unwrap(body).map(Some),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The id for a name or id.
    pub async fn id(&self, key: &str) -> Result<String> {
        let item = self.get(key).await?;
        let id = item.get("id").and_then(Value::as_str);
        id.map(str::to_owned).ok_or_else(|| self.odd())
    }

    pub async fn create(&self, wanted: &Value) -> Result<Value> {
        let call = self.client.call(Method::POST, Service::Identity, self.plural());
        self.unwrap(call.json(&json!({ self.noun: wanted })).receive().await?)
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        let path = format!("{}/{}", self.plural(), segment(&self.id(key).await?));
        self.client
            .call(Method::DELETE, Service::Identity, path)
            .send()
            .await
            .map(drop)
    }

    fn unwrap(&self, mut body: Value) -> Result<Value> {
        body.get_mut(self.noun).map(Value::take).ok_or_else(|| self.odd())
    }

    fn odd(&self) -> Error {
        types::Error::broken(format!(
            "keystone's answer about a {} does not have the expected shape",
            self.noun
        ))
        .into()
    }
}

/// 32 hexadecimal digits, with or without hyphens: what keystone mints, unlikely as a name.
fn looks_like_id(key: &str) -> bool {
    let digits = key.bytes().filter(|b| *b != b'-');
    digits.clone().count() == 32 && digits.clone().all(|b| b.is_ascii_hexdigit())
}
