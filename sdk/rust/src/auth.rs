//! Who logs in, and for which project: the OS_* variables and the same fields in a file.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use types::Kind;

use crate::{Error, Result};

/// Credentials and scope, each field named after its `OS_` variable.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Where keystone is, ending in `/v3`.
    pub auth_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_domain_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_credential_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_credential_secret: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_domain_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_name: Option<String>,
    /// A file of PEM certificates to trust instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cacert: Option<String>,
}

impl Auth {
    /// From the `OS_*` variables.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// From any source of `OS_*` names; empty values count as absent.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let os = |name: &str| lookup(&format!("OS_{name}")).filter(|value| !value.is_empty());
        let auth_url = os("AUTH_URL").ok_or_else(|| {
            Error::new(
                Kind::Unauthenticated,
                "OS_AUTH_URL is not set, so it is not known where to log in",
            )
        })?;
        Ok(Self {
            auth_url,
            username: os("USERNAME"),
            user_id: os("USER_ID"),
            password: os("PASSWORD"),
            user_domain_name: os("USER_DOMAIN_NAME"),
            user_domain_id: os("USER_DOMAIN_ID"),
            token: os("TOKEN"),
            application_credential_id: os("APPLICATION_CREDENTIAL_ID"),
            application_credential_secret: os("APPLICATION_CREDENTIAL_SECRET"),
            project_name: os("PROJECT_NAME"),
            project_id: os("PROJECT_ID"),
            project_domain_name: os("PROJECT_DOMAIN_NAME"),
            project_domain_id: os("PROJECT_DOMAIN_ID"),
            domain_name: os("DOMAIN_NAME"),
            domain_id: os("DOMAIN_ID"),
            system_scope: os("SYSTEM_SCOPE"),
            region_name: os("REGION_NAME"),
            cacert: os("CACERT"),
        })
    }

    /// The body of `POST /auth/tokens`.
    pub(crate) fn request(&self) -> Result<Value> {
        let mut auth = json!({ "identity": self.identity()? });
        if let Some(scope) = self.scope() {
            auth["scope"] = scope;
        }
        Ok(json!({ "auth": auth }))
    }

    fn identity(&self) -> Result<Value> {
        if let (Some(id), Some(secret)) = (&self.application_credential_id, &self.application_credential_secret) {
            let credential = json!({ "id": id, "secret": secret });
            return Ok(json!({ "methods": ["application_credential"], "application_credential": credential }));
        }
        if let (Some(token), None) = (&self.token, &self.password) {
            return Ok(json!({ "methods": ["token"], "token": { "id": token } }));
        }
        let Some(password) = &self.password else {
            return Err(Error::new(
                Kind::Unauthenticated,
                "neither OS_PASSWORD nor OS_TOKEN is set, so there is nothing to log in with",
            ));
        };
        let user = match (&self.user_id, &self.username) {
            (Some(id), _) => json!({ "id": id, "password": password }),
            (None, Some(name)) => {
                let domain = domain(&self.user_domain_id, &self.user_domain_name);
                json!({ "name": name, "password": password, "domain": domain })
            }
            (None, None) => {
                return Err(Error::new(
                    Kind::Unauthenticated,
                    "OS_USERNAME is not set, so it is not known who logs in",
                ));
            }
        };
        Ok(json!({ "methods": ["password"], "password": { "user": user } }))
    }

    fn scope(&self) -> Option<Value> {
        if self.application_credential_id.is_some() {
            return None;
        }
        if self.system_scope.is_some() {
            return Some(json!({ "system": { "all": true } }));
        }
        if let Some(id) = &self.project_id {
            return Some(json!({ "project": { "id": id } }));
        }
        if let Some(name) = &self.project_name {
            let domain = domain(&self.project_domain_id, &self.project_domain_name);
            return Some(json!({ "project": { "name": name, "domain": domain } }));
        }
        if self.domain_id.is_some() || self.domain_name.is_some() {
            return Some(json!({ "domain": domain(&self.domain_id, &self.domain_name) }));
        }
        None
    }

    /// What distinguishes one login from another, without its secrets.
    pub(crate) fn fingerprint(&self) -> String {
        let mut public = self.clone();
        public.password = None;
        public.token = None;
        public.application_credential_secret = None;
        public.region_name = None;
        public.cacert = None;
        serde_json::to_string(&public).unwrap_or_default()
    }

    /// The secret that was presented, for comparing only.
    pub(crate) fn secret(&self) -> &str {
        let secrets = [&self.application_credential_secret, &self.password, &self.token];
        secrets.into_iter().flatten().next().map_or("", String::as_str)
    }
}

fn domain(id: &Option<String>, name: &Option<String>) -> Value {
    match (id, name) {
        (Some(id), _) => json!({ "id": id }),
        (None, Some(name)) => json!({ "name": name }),
        (None, None) => json!({ "id": "default" }),
    }
}

/// Never shows secrets.
impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(variables: &[(&str, &str)], expected: Expect) {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let text = match Auth::from_lookup(lookup).and_then(|auth| auth.request()) {
            Ok(body) => body.to_string(),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn each_kind_of_login_asks_for_what_it_should() {
        let user = [
            ("OS_AUTH_URL", "http://h/v3"),
            ("OS_USERNAME", "ann"),
            ("OS_PASSWORD", "p"),
            ("OS_PROJECT_NAME", "demo"),
        ];
        check(
            &user,
            expect![[
                r#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"ann","password":"p"}}},"scope":{"project":{"domain":{"id":"default"},"name":"demo"}}}}"#
            ]],
        );
        check(
            &[user[0], user[1], user[2], ("OS_SYSTEM_SCOPE", "all")],
            expect![[
                r#"{"auth":{"identity":{"methods":["password"],"password":{"user":{"domain":{"id":"default"},"name":"ann","password":"p"}}},"scope":{"system":{"all":true}}}}"#
            ]],
        );
        check(
            &[user[0], ("OS_TOKEN", "t"), ("OS_DOMAIN_NAME", "d")],
            expect![[
                r#"{"auth":{"identity":{"methods":["token"],"token":{"id":"t"}},"scope":{"domain":{"name":"d"}}}}"#
            ]],
        );
        check(
            &[],
            expect!["OS_AUTH_URL is not set, so it is not known where to log in"],
        );
        check(
            &user[..2],
            expect!["neither OS_PASSWORD nor OS_TOKEN is set, so there is nothing to log in with"],
        );
        check(
            &[user[0], user[2]],
            expect!["OS_USERNAME is not set, so it is not known who logs in"],
        );
    }
}
