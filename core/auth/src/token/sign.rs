//! Making keys and signing tokens. Only keystone has a [`Signer`].

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use types::{Error, Result};

use crate::token::{Claims, MAX_LENGTH, PublicKey};

/// A key as it is kept: base64 of the PKCS#8 document, and what is published of it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    pub public: PublicKey,
    pub private: String,
}

impl KeyPair {
    pub fn generate() -> Result<Self> {
        let broken = |_| Error::broken("no Ed25519 key could be made");
        let pair = Ed25519KeyPair::generate().map_err(broken)?;
        let document = pair.to_pkcs8().map_err(broken)?;
        let kid = uuid::Uuid::new_v4().simple().to_string();
        Ok(Self {
            public: PublicKey {
                kid: kid[..12].to_owned(),
                x: base64_url(pair.public_key().as_ref()),
            },
            private: base64_url(document.as_ref()),
        })
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyPair({})", self.public.kid)
    }
}

/// Signs claims with one private key.
pub struct Signer {
    header: Header,
    key: EncodingKey,
}

impl Signer {
    pub fn new(pair: &KeyPair) -> Result<Self> {
        let document = from_base64_url(&pair.private)?;
        Ed25519KeyPair::from_pkcs8(&document)
            .map_err(|e| Error::broken(format!("signing key `{}` cannot be read", pair.public.kid)).because(e))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(pair.public.kid.clone());
        Ok(Self {
            header,
            key: EncodingKey::from_ed_der(&document),
        })
    }

    pub fn kid(&self) -> &str {
        self.header.kid.as_deref().unwrap_or_default()
    }

    pub fn sign(&self, claims: &Claims) -> Result<String> {
        let token = jsonwebtoken::encode(&self.header, claims, &self.key)
            .map_err(|e| Error::broken("the token could not be signed").because(e))?;
        if token.len() > MAX_LENGTH {
            let message = format!(
                "user `{}` holds too many roles for one token: remove some or use groups of roles",
                claims.user_name
            );
            return Err(Error::invalid(message).code("token_too_large"));
        }
        Ok(token)
    }
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn from_base64_url(text: &str) -> Result<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|e| Error::broken("a stored key is not base64").because(e))
}
