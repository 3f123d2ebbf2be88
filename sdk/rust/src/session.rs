//! A login that happened: the token, whose it is, and where the services are.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use types::{Kind, Timestamp};

use crate::{Auth, Error, Result, Service};

/// A token that ends sooner than this is renewed before use.
const MARGIN: Duration = Duration::from_secs(60);

/// What keystone answered to a login.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    pub token: String,
    /// The `token` object of the answer without its catalog: user, project, roles, times.
    pub about: Value,
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Endpoint {
    service: String,
    region: String,
    url: String,
}

impl Session {
    pub(crate) fn read(token: String, body: &[u8]) -> Result<Self> {
        let mut body: Value = serde_json::from_slice(body).map_err(|e| Error::invalid_answer("the login", e))?;
        let mut about = body.get_mut("token").map(Value::take).unwrap_or_default();
        let catalog = about.as_object_mut().and_then(|map| map.remove("catalog"));
        Ok(Self {
            token,
            about,
            endpoints: catalog.as_ref().map(public_endpoints).unwrap_or_default(),
        })
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        self.about.get("expires_at")?.as_str()?.parse().ok()
    }

    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|end| end > now + MARGIN)
    }

    /// Where a service is, from the catalog; identity is where the login went.
    pub(crate) fn base(&self, service: Service, auth: &Auth) -> Result<String> {
        if service == Service::Identity {
            return Ok(auth.auth_url.trim_end_matches('/').to_owned());
        }
        let wanted = auth.region_name.as_deref();
        let mut offers = self.endpoints.iter().filter(|e| e.service == service.kind());
        let found = offers.find(|e| wanted.is_none_or(|region| e.region == region));
        let url = found.map(|e| e.url.trim_end_matches('/')).ok_or_else(|| {
            let place = wanted.map_or(String::new(), |region| format!(" in region `{region}`"));
            Error::new(
                Kind::NotFound,
                format!(
                    "the service catalog lists no public `{}` endpoint{place}",
                    service.kind()
                ),
            )
        })?;
        match service {
            Service::Image if !url.ends_with("/v2") => Ok(format!("{url}/v2")),
            _ => Ok(url.to_owned()),
        }
    }
}

fn public_endpoints(catalog: &Value) -> Vec<Endpoint> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for service in catalog.as_array().into_iter().flatten() {
        let endpoints = service.get("endpoints").and_then(Value::as_array);
        for endpoint in endpoints.into_iter().flatten() {
            if text(endpoint, "interface") == "public" {
                let region = match text(endpoint, "region_id") {
                    id if id.is_empty() => text(endpoint, "region"),
                    id => id,
                };
                found.push(Endpoint {
                    service: text(service, "type"),
                    region,
                    url: text(endpoint, "url"),
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn services_are_found_by_type_and_region() {
        let body = r#"{"token":{"expires_at":"2099-01-01T00:00:00.000000Z","catalog":[
            {"type":"isobar","endpoints":[{"interface":"admin","region_id":"a","url":"http://no"},{"interface":"public","region_id":"a","url":"http://a/region/"},{"interface":"public","region":"b","url":"http://b/region"}]},
            {"type":"image","endpoints":[{"interface":"public","region_id":"b","url":"http://b/image"}]}]}}"#;
        let session = Session::read("t".into(), body.as_bytes()).unwrap();
        let mut auth = Auth {
            auth_url: "http://a/identity/v3/".into(),
            ..Auth::default()
        };
        let mut look = |service, region: Option<&str>| {
            auth.region_name = region.map(str::to_owned);
            session.base(service, &auth).unwrap_or_else(|e| e.to_string())
        };
        let found = [
            look(Service::Region, None),
            look(Service::Region, Some("b")),
            look(Service::Image, None),
            look(Service::Image, Some("a")),
            look(Service::Identity, None),
        ];
        expect![[r#"
            http://a/region
            http://b/region
            http://b/image/v2
            the service catalog lists no public `image` endpoint in region `a`
            http://a/identity/v3"#]]
        .assert_eq(&found.join("\n"));
        assert!(session.is_fresh(Timestamp::now()));
    }
}
