//! Our certificate authority: it signs the keys of agents and our own towards them. One row, made at first use.

use contract::site::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use store::{
    Store,
    sea_orm::{self, ActiveValue::Set, entity::prelude::*},
};
use types::{Error, HostId, Result, Timestamp};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "authority")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub certificate: String,
    pub key: String,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

const ID: &str = "agents";
/// The name agents accept commands from.
const CLIENT: &str = "isobar-region";

/// The authority, made now if there is none. Two replicas at once agree on one.
pub async fn load(store: &Store) -> Result<Model> {
    if let Some(row) = store.one(Entity::find_by_id(ID.to_owned())).await? {
        return Ok(row);
    }
    let (certificate, key) = generate()?;
    let tx = store.begin().await?;
    let row = ActiveModel {
        id: Set(ID.to_owned()),
        certificate: Set(certificate),
        key: Set(key),
        created_at: Set(Timestamp::now()),
    };
    match tx.insert(row).await {
        Ok(row) => {
            tx.commit().await?;
            Ok(row)
        }
        Err(error) => {
            drop(tx);
            store.one(Entity::find_by_id(ID.to_owned())).await?.ok_or(error)
        }
    }
}

fn generate() -> Result<(String, String)> {
    let key = KeyPair::generate().map_err(crypto)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Isobar agents");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(crypto)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

impl Model {
    fn issuer(&self) -> Result<Issuer<'static, KeyPair>> {
        let key = KeyPair::from_pem(&self.key).map_err(crypto)?;
        Issuer::from_ca_cert_pem(&self.certificate, key).map_err(crypto)
    }

    /// A certificate for an agent's own key, naming its host and nothing the agent asked for.
    pub fn issue_agent(&self, csr: &str, host: HostId) -> Result<String> {
        let mut request = read(csr)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, host.to_string());
        params.subject_alt_names = vec![SanType::DnsName(host.to_string().try_into().map_err(crypto)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        request.params = params;
        Ok(request.signed_by(&self.issuer()?).map_err(crypto)?.pem())
    }

    /// A fresh key and certificate for this process.
    pub fn issue_client(&self) -> Result<Identity> {
        let key = KeyPair::generate().map_err(crypto)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, CLIENT);
        params.subject_alt_names = vec![SanType::DnsName(CLIENT.to_owned().try_into().map_err(crypto)?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer()?).map_err(crypto)?;
        Ok(Identity {
            authority: self.certificate.clone(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }

    /// SHA-256 of the certificate, for join tokens.
    pub fn fingerprint(&self) -> Result<String> {
        use sha2::{Digest, Sha256};
        let body: String = self
            .certificate
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, body)
            .map_err(|e| Error::broken("our authority's certificate is damaged").because(e))?;
        Ok(hex::encode(Sha256::digest(der)))
    }
}

/// What identifies the key of a certificate request.
pub fn key_digest(csr: &str) -> Result<String> {
    use rcgen::PublicKeyData;
    use sha2::{Digest, Sha256};
    let request = read(csr)?;
    Ok(hex::encode(Sha256::digest(request.public_key.der_bytes())))
}

fn read(csr: &str) -> Result<CertificateSigningRequestParams> {
    CertificateSigningRequestParams::from_pem(csr).map_err(|e| {
        Error::invalid("the certificate request cannot be read")
            .code("bad_csr")
            .because(e)
    })
}

fn crypto(error: rcgen::Error) -> Error {
    Error::broken("a certificate could not be made").because(error)
}
