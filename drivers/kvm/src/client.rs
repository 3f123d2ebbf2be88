//! One HTTPS client for all agents of an account. The name that TLS checks is the host's id, while the connection
//! goes to the address the host joined with, so that no host can answer in another's place.

use std::{collections::BTreeMap, error::Error as _, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use contract::{Call, Cursor, Error, Kind, Page, Result, Site, page::Skipped, site::Place};
use futures::future::join_all;
use reqwest::{
    Body, Client, Method, RequestBuilder, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::{Serialize, de::DeserializeOwned};

use crate::wire;

/// A host that needs longer to list what it has is passed over.
const PATIENCE: Duration = Duration::from_secs(20);

/// Most hosts that are asked for one page.
const AT_ONCE: usize = 32;

/// The agents of one account, in the order of their host ids.
pub struct Agents {
    client: Client,
    /// Host id to `https://<host id>:<port>/v1/`.
    hosts: BTreeMap<String, Url>,
}

impl Agents {
    pub fn new(site: &Site) -> Result<Self> {
        let identity = site.identity.as_ref().ok_or_else(|| {
            Error::invalid(format!(
                "account {} has no identity to show to its agents",
                site.account
            ))
        })?;
        let mut hosts = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for endpoint in &site.hosts {
            let (base, address) = split_endpoint(endpoint.host.as_str(), &endpoint.url)?;
            hosts.insert(endpoint.host.to_string(), base);
            addresses.insert(endpoint.host.to_string(), address);
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls(identity)?)
            .dns_resolver(Arc::new(Addresses(Arc::new(addresses))))
            .no_proxy()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|e| Error::broken("the client for the agents cannot be built").because(e))?;
        Ok(Self { client, hosts })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(String::as_str)
    }

    /// The host a new thing goes to: the one asked for, or the only one there is.
    pub fn place<'a>(&'a self, place: &'a Place) -> Result<&'a str> {
        match &place.host {
            Some(host) => Ok(host.as_str()),
            None if self.hosts.len() == 1 => Ok(self.names().next().unwrap_or_default()),
            None => Err(
                Error::invalid("this account has several hosts: say which one it should be on").code("host_missing"),
            ),
        }
    }

    /// Sends a body and reads the answer, within the call's deadline.
    pub async fn send<T: DeserializeOwned>(
        &self,
        call: &Call,
        host: &str,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T> {
        let request = self.request(call, host, method, path)?.json(body);
        call.bound(&format!("a request to host {host}"), answer(host, request))
            .await
    }

    /// Asks without a body.
    pub async fn ask<T: DeserializeOwned>(&self, call: &Call, host: &str, method: Method, path: &str) -> Result<T> {
        let request = self.request(call, host, method, path)?;
        call.bound(&format!("a request to host {host}"), answer(host, request))
            .await
    }

    /// Sends content of any length.
    pub async fn upload<T: DeserializeOwned>(&self, call: &Call, host: &str, path: &str, content: Body) -> Result<T> {
        let request = self.request(call, host, Method::PUT, path)?.body(content);
        call.bound(&format!("an upload to host {host}"), answer(host, request))
            .await
    }

    /// Everything of one kind, some hosts a page, which are asked at once: a silent one delays no other, and is named
    /// in `skipped`.
    pub async fn list<T: DeserializeOwned>(&self, call: &Call, from: Option<Cursor>, path: &str) -> Result<Page<T>> {
        wanted(call)?;
        let rest = self
            .names()
            .skip_while(|host| from.as_ref().is_some_and(|from| *host < from.0.as_str()));
        let mut hosts: Vec<_> = rest.take(AT_ONCE + 1).collect();
        let next = hosts.get(AT_ONCE).map(|host| Cursor((*host).to_owned()));
        hosts.truncate(AT_ONCE);
        // What is left is for the pages that follow, and to say what was heard.
        let patient = call.within(PATIENCE.min(call.remaining() / 2));
        let asked = hosts
            .iter()
            .map(|host| self.ask::<wire::Listing<T>>(&patient, host, Method::GET, path));
        let mut page = Page::last(Vec::new());
        for (host, answer) in hosts.iter().zip(join_all(asked).await) {
            match answer {
                Ok(listing) => {
                    page.items.extend(listing.items);
                    page.skipped.extend(listing.skipped);
                }
                Err(error) => page.skipped.push(Skipped {
                    item: (*host).to_owned(),
                    reason: error.chain(),
                }),
            }
        }
        wanted(call)?;
        Ok(Page { next, ..page })
    }

    /// What a token made, on whichever host. "Nothing" is only answered when every host said so.
    pub async fn find<T: DeserializeOwned>(&self, call: &Call, path: &str) -> Result<Option<T>> {
        let asked = self
            .names()
            .map(|host| self.ask::<Option<T>>(call, host, Method::GET, path));
        let mut failed = None;
        for answer in join_all(asked).await {
            match answer {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    fn request(&self, call: &Call, host: &str, method: Method, path: &str) -> Result<RequestBuilder> {
        wanted(call)?;
        let base = self.hosts.get(host).ok_or_else(|| Error::not_found("host", host))?;
        let url = base
            .join(path)
            .map_err(|e| Error::invalid(format!("`{path}` does not name an object on host {host}")).because(e))?;
        Ok(self
            .client
            .request(method, url)
            .header(wire::REQUEST_ID, call.request_id.as_str())
            .timeout(call.remaining()))
    }
}

/// A call that came too late, or that nobody waits for, is not begun.
pub fn wanted(call: &Call) -> Result<()> {
    if call.cancelled.is_cancelled() {
        return Err(Error::new(
            Kind::Cancelled,
            format!("request {} was cancelled", call.request_id),
        ));
    }
    match call.remaining().is_zero() {
        true => Err(Error::new(
            Kind::Timeout,
            format!("no time was left for request {}", call.request_id),
        )),
        false => Ok(()),
    }
}

/// `https://<host id>:<port>/v1/`, and the address behind it.
fn split_endpoint(host: &str, url: &str) -> Result<(Url, String)> {
    let wrong = || {
        Error::invalid(format!(
            "host {host} has the url `{url}`; it must be https://address:port"
        ))
    };
    let mut parsed = Url::parse(url).map_err(|e| wrong().because(e))?;
    let address = parsed.host_str().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
    if parsed.scheme() != "https" {
        return Err(wrong());
    }
    parsed.set_host(Some(host)).map_err(|e| wrong().because(e))?;
    parsed.set_path("/v1/");
    Ok((parsed, address))
}

fn tls(identity: &contract::site::Identity) -> Result<rustls::ClientConfig> {
    let wrong = |what: &str| Error::invalid(format!("the {what} of our identity towards agents is not valid PEM"));
    let mut roots = rustls::RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(identity.authority.as_bytes()) {
        let authority = authority.map_err(|e| wrong("authority").because(e))?;
        roots.add(authority).map_err(|e| wrong("authority").because(e))?;
    }
    let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong("certificate").because(e))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|e| wrong("key").because(e))?;
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::broken("TLS cannot be set up").because(e))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|e| wrong("certificate or key").because(e))
}

async fn answer<T: DeserializeOwned>(host: &str, request: RequestBuilder) -> Result<T> {
    let response = request.send().await.map_err(|e| unreachable(host, e))?;
    read(host, response).await
}

async fn read<T: DeserializeOwned>(host: &str, response: Response) -> Result<T> {
    let status = response.status();
    let body: Bytes = response.bytes().await.map_err(|e| unreachable(host, e))?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|e| Error::broken(format!("host {host} answered in a shape we do not know")).because(e));
    }
    Err(serde_json::from_slice(&body)
        .unwrap_or_else(|_| Error::broken(format!("host {host} answered {status} without saying why"))))
}

/// A refused certificate will be refused again; everything else on the way may pass.
fn unreachable(host: &str, error: reqwest::Error) -> Error {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.downcast_ref::<rustls::Error>().is_some() {
            return Error::denied(format!("host {host} and we do not trust each other: let it join again"))
                .because(error);
        }
        source = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    Error::unavailable(format!("the agent of host {host} does not answer")).because(error)
}

/// Host ids resolve to where the hosts are.
struct Addresses(Arc<BTreeMap<String, String>>);

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let address = self.0.get(name.as_str()).cloned();
        Box::pin(async move {
            let address = address.ok_or("no such host")?;
            let found: Vec<SocketAddr> = tokio::net::lookup_host((address.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
