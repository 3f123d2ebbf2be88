//! Becoming a host: a key of our own, a certificate from the controller's authority, once. The token carries the
//! authority's fingerprint, so that even over plain HTTP nobody else can become our controller.

use std::{net::SocketAddr, time::Duration};

use contract::{Error, Kind, Result};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::agent::{
    Options,
    store::{self, Store},
};

/// A controller that is not up yet is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What joining gave us; written last, so that its presence means that we joined.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Membership {
    pub host: String,
    pub name: String,
    pub url: String,
    pub listen: SocketAddr,
    pub certificate: String,
    pub authority: String,
    #[serde(skip)]
    pub key: String,
}

#[derive(Serialize)]
struct Request<'a> {
    token: &'a str,
    csr: String,
    name: &'a str,
    url: &'a str,
}

#[derive(Deserialize)]
struct Response {
    host: String,
    certificate: String,
    authority: String,
}

/// The membership in the data directory, or a new one; and the socket it was announced with.
pub async fn membership(store: &Store, options: &Options) -> Result<(Membership, TcpListener)> {
    let key = key(store)?;
    if let Some(known) = store::read_json::<Membership>(&store.file("agent.json"))? {
        if options.listen.port() != 0 && options.listen != known.listen {
            let message = format!(
                "this host joined as {}: listen there, or let it join again in a new directory",
                known.url
            );
            return Err(Error::invalid(message).code("other_address"));
        }
        let listener = listen(known.listen).await?;
        let key = key.serialize_pem();
        return Ok((Membership { key, ..known }, listener));
    }
    let listener = listen(options.listen).await?;
    let listen = listener
        .local_addr()
        .map_err(|e| Error::broken("the agent does not know its own address").because(e))?;
    let name = options.name.clone().unwrap_or_else(host_name);
    let url = url(options, listen)?;
    let response = join(options, &key, &name, &url).await?;
    check_authority(&options.token, &response.authority)?;
    let membership = Membership {
        host: response.host,
        name,
        url,
        listen,
        certificate: response.certificate,
        authority: response.authority,
        key: key.serialize_pem(),
    };
    store::write_json(&store.file("agent.json"), &membership)?;
    Ok((membership, listener))
}

/// Where the controller reaches us.
fn url(options: &Options, listen: SocketAddr) -> Result<String> {
    match &options.advertise {
        Some(address) if address.contains("://") => Ok(address.clone()),
        Some(address) => Ok(format!("https://{address}:{}", listen.port())),
        None if listen.ip().is_unspecified() => Err(Error::invalid(
            "say with --advertise by which address the controller reaches this host",
        )),
        None => Ok(format!("https://{listen}")),
    }
}

/// Asked for until the controller answers; a refusal is final.
async fn join(options: &Options, key: &KeyPair, name: &str, url: &str) -> Result<Response> {
    let broken = |e: rcgen::Error| Error::broken("the certificate request cannot be made").because(e);
    let csr = CertificateParams::new(Vec::new())
        .and_then(|p| p.serialize_request(key))
        .and_then(|csr| csr.pem())
        .map_err(broken)?;
    let request = Request {
        token: &options.token,
        csr,
        name,
        url,
    };
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|e| Error::broken("the client for joining cannot be built").because(e))?;
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        match post(&client, &options.join, &request).await {
            Err(error) if error.is_temporary() && tokio::time::Instant::now() < end => {
                tracing::warn!(error = error.chain(), "joining did not work yet");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            other => return other,
        }
    }
}

async fn post(client: &reqwest::Client, join: &str, request: &Request<'_>) -> Result<Response> {
    let url = format!("{}/hosts/join", join.trim_end_matches('/'));
    let down = |e| Error::unavailable(format!("the controller does not answer at {url}")).because(e);
    let response = client.post(&url).json(request).send().await.map_err(down)?;
    let status = response.status();
    let body = response.bytes().await.map_err(down)?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|e| Error::broken(format!("{url} answered in a shape we do not know")).because(e));
    }
    let kind = if status.is_server_error() {
        Kind::Unavailable
    } else {
        Kind::Denied
    };
    let said = String::from_utf8_lossy(&body).chars().take(500).collect::<String>();
    Err(Error::new(
        kind,
        format!("the controller at {url} does not take this host: {status}"),
    )
    .because(std::io::Error::other(said)))
}

/// The token names the authority; any other certificate comes from somebody in between.
fn check_authority(token: &str, authority: &str) -> Result<()> {
    let wrong = |why: &str| {
        Error::denied(format!(
            "the controller's authority is not the one the token names: {why}"
        ))
    };
    let (_, expected) = token.rsplit_once('.').ok_or_else(|| wrong("the token is incomplete"))?;
    let der = CertificateDer::from_pem_slice(authority.as_bytes()).map_err(|_| wrong("it is not a certificate"))?;
    let found = hex::encode(Sha256::digest(&der));
    match found.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(wrong(&format!("its fingerprint is {found}")).code("foreign_authority")),
    }
}

/// Made before joining and kept: a join that was cut off is repeated with the same key.
fn key(store: &Store) -> Result<KeyPair> {
    let broken = |e: rcgen::Error| Error::broken("the agent's key cannot be made or read").because(e);
    let path = store.file("key.pem");
    if path.exists() {
        let text = std::fs::read_to_string(&path).map_err(|e| store::failed("read", &path, e))?;
        return KeyPair::from_pem(&text).map_err(broken);
    }
    let key = KeyPair::generate().map_err(broken)?;
    store::write(&path, key.serialize_pem().as_bytes())?;
    Ok(key)
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|e| Error::unavailable(format!("the agent cannot listen on {address}")).because(e))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "host".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_authority_is_taken() {
        let certificate = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap().cert;
        let fingerprint = hex::encode(Sha256::digest(certificate.der()));
        check_authority(&format!("secret.{fingerprint}"), &certificate.pem()).unwrap();
        for token in ["secret", "secret.00"] {
            assert_eq!(
                check_authority(token, &certificate.pem()).unwrap_err().kind,
                Kind::Denied
            );
        }
    }
}
