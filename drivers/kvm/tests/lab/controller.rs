//! As much of the region as an agent sees: an authority, and `POST /hosts/join`.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, routing::post};
use contract::{
    ExternalRef, Site,
    site::{Endpoint, Identity},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub struct Controller {
    pub url: String,
    pub token: String,
    state: Arc<Shared>,
}

struct Shared {
    authority: Authority,
    hosts: Mutex<Vec<Endpoint>>,
}

pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    /// A client certificate with this common name.
    pub fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        Identity {
            authority: self.pem.clone(),
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    fn sign(&self, csr: &str, host: &str) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(csr).unwrap();
        request.params.subject_alt_names = vec![SanType::DnsName(host.try_into().unwrap())];
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        request.signed_by(&self.issuer).unwrap().pem()
    }
}

impl Controller {
    pub async fn start() -> Self {
        let authority = Authority::new();
        let der = pem(&authority.pem);
        let token = format!("secret.{}", hex::encode(Sha256::digest(der)));
        let state = Arc::new(Shared {
            authority,
            hosts: Mutex::default(),
        });
        let app = Router::new()
            .route("/hosts/join", post(join))
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, token, state }
    }

    pub fn authority(&self) -> &Authority {
        &self.state.authority
    }

    pub fn hosts(&self) -> Vec<Endpoint> {
        self.state.hosts.lock().unwrap().clone()
    }

    pub fn site(&self, hosts: Vec<Endpoint>) -> Site {
        Site {
            account: "test".to_owned(),
            credential: Value::Null,
            hosts,
            identity: Some(self.authority().identity("isobar-region")),
        }
    }
}

async fn join(State(state): State<Arc<Shared>>, Json(request): Json<Value>) -> Json<Value> {
    let host = types::HostId::new().to_string();
    let certificate = state.authority.sign(request["csr"].as_str().unwrap(), &host);
    state.hosts.lock().unwrap().push(Endpoint {
        host: ExternalRef::new(host.as_str()),
        url: request["url"].as_str().unwrap().to_owned(),
    });
    Json(json!({"host": host, "certificate": certificate, "authority": state.authority.pem}))
}

fn pem(text: &str) -> rustls::pki_types::CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    PemObject::from_pem_slice(text.as_bytes()).unwrap()
}
