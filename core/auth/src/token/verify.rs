//! Verifying tokens without asking anybody: signature, expiry, revocation.
//! Signatures are checked once per token and remembered; expiry and revocation are checked every time.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use types::{Error, Kind, Result, Timestamp};

use crate::cx::Who;
use crate::token::{Claims, KeySet, KeySource, MAX_LENGTH, Revocations};

/// Clocks of replicas may differ by this much.
const SKEW: Duration = Duration::from_secs(60);

/// Each of the two generations of the cache holds at most this many tokens.
const GENERATION: usize = 8192;

/// An unknown key id asks the source again at most this often.
const RELOAD: Duration = Duration::from_secs(1);

/// Shared by all requests of a process; [`Verifier::replace`] or [`Verifier::refresh`] keep it current.
pub struct Verifier {
    known: ArcSwap<Known>,
    validation: Validation,
    source: Option<Arc<dyn KeySource>>,
    reloaded: Mutex<Timestamp>,
}

/// Keys with what was verified by them, so that a key's end is its tokens' end.
struct Known {
    keys: HashMap<String, DecodingKey>,
    set: KeySet,
    seen: Arc<Cache>,
}

impl Verifier {
    /// A verifier that knows only what it is given.
    pub fn new(set: KeySet) -> Result<Self> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.required_spec_claims.clear();
        validation.validate_exp = false; // checked here, against the injected clock
        Ok(Self {
            known: ArcSwap::from_pointee(Known::new(set, Arc::default())?),
            validation,
            source: None,
            reloaded: Mutex::new(Timestamp::from_micros(0)),
        })
    }

    /// A verifier that loads its keys from `source`, now and at every [`Verifier::refresh`].
    pub async fn with_source(source: Arc<dyn KeySource>) -> Result<Self> {
        let mut verifier = Self::new(source.load().await?)?;
        verifier.source = Some(source);
        Ok(verifier)
    }

    /// Takes a newer set of keys and revocations; verified signatures are kept if the keys are the same.
    pub fn replace(&self, set: KeySet) -> Result<()> {
        let current = self.known.load();
        if current.set == set {
            return Ok(());
        }
        let seen = match current.set.keys == set.keys {
            true => current.seen.clone(),
            false => Arc::default(),
        };
        self.known.store(Arc::new(Known::new(set, seen)?));
        Ok(())
    }

    /// Loads from the source again. Without a source it does nothing.
    pub async fn refresh(&self) -> Result<()> {
        match &self.source {
            Some(source) => self.replace(source.load().await?),
            None => Ok(()),
        }
    }

    /// Who the token speaks for, if it is genuine, alive and not revoked.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<(Who, Claims)> {
        let claims = self.claims(token, now)?;
        Ok((claims.who(), Claims::clone(&claims)))
    }

    /// Like [`Verifier::verify`], but a key that is not known yet is looked for once at the source.
    pub async fn verify_fresh(&self, token: &str, now: Timestamp) -> Result<(Who, Claims)> {
        match self.verify(token, now) {
            Err(e) if e.code == UNKNOWN_KEY && self.may_reload(now) => {
                self.refresh().await?;
                self.verify(token, now)
            }
            answer => answer,
        }
    }

    fn claims(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>> {
        let known = self.known.load();
        let claims = match known.seen.get(token) {
            Some(claims) => claims,
            None => {
                let claims = Arc::new(self.check_signature(&known, token)?);
                known.seen.put(token, claims.clone());
                claims
            }
        };
        check_time(&claims, now)?;
        check_revoked(&known.set.revocations, &claims)?;
        Ok(claims)
    }

    fn check_signature(&self, known: &Known, token: &str) -> Result<Claims> {
        if token.len() > MAX_LENGTH {
            return Err(refused("the token is longer than any of ours"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|e| refused(NOT_OURS).because(e))?;
        let kid = header.kid.unwrap_or_default();
        let Some(key) = known.keys.get(&kid) else {
            return Err(refused("the token was signed with a key that is not in use").code(UNKNOWN_KEY));
        };
        jsonwebtoken::decode(token, key, &self.validation)
            .map(|data| data.claims)
            .map_err(|e| refused(NOT_OURS).because(e))
    }

    fn may_reload(&self, now: Timestamp) -> bool {
        let mut last = self.reloaded.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now.since(*last) >= RELOAD;
        if due {
            *last = now;
        }
        due
    }
}

/// The code of the refusal that a newer key set may turn into acceptance.
const UNKNOWN_KEY: &str = "unknown_key";
const NOT_OURS: &str = "the token is not one of ours: log in again";

fn refused(message: &str) -> Error {
    Error::new(Kind::Unauthenticated, message).code("token_invalid")
}

fn check_time(claims: &Claims, now: Timestamp) -> Result<()> {
    if claims.expires_at <= now {
        let message = format!("the token expired at {}: log in again", claims.expires_at);
        return Err(Error::new(Kind::Unauthenticated, message).code("token_expired"));
    }
    if claims.issued_at > now + SKEW {
        return Err(refused("the token comes from the future: set this machine's clock"));
    }
    Ok(())
}

fn check_revoked(revocations: &Revocations, claims: &Claims) -> Result<()> {
    if revocations.covers(claims) {
        return Err(Error::new(Kind::Unauthenticated, "the token was revoked: log in again").code("token_revoked"));
    }
    Ok(())
}

impl Known {
    fn new(set: KeySet, seen: Arc<Cache>) -> Result<Self> {
        let keys = set
            .keys
            .iter()
            .map(|key| {
                let decoded = DecodingKey::from_ed_components(&key.x)
                    .map_err(|e| Error::broken(format!("public key `{}` cannot be read", key.kid)).because(e))?;
                Ok((key.kid.clone(), decoded))
            })
            .collect::<Result<_>>()?;
        Ok(Self { keys, set, seen })
    }
}

/// Two generations of verified tokens: when the young one is full it becomes the old one, and the old one is dropped.
#[derive(Default)]
struct Cache(RwLock<[HashMap<Box<str>, Arc<Claims>>; 2]>);

impl Cache {
    fn get(&self, token: &str) -> Option<Arc<Claims>> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = held[0].get(token) {
            return Some(claims.clone());
        }
        let claims = held[1].get(token).cloned()?;
        drop(held);
        self.put(token, claims.clone());
        Some(claims)
    }

    fn put(&self, token: &str, claims: Arc<Claims>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held[0].len() >= GENERATION {
            held[1] = mem::take(&mut held[0]);
        }
        held[0].insert(token.into(), claims);
    }
}

#[cfg(test)]
mod tests;
