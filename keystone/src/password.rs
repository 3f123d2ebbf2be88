//! Passwords: Argon2id, off the async threads, never more at once than there are processors.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use tokio::sync::Semaphore;
use types::{Error, Result};

/// Longer passwords are refused: hashing them would cost us more than sending them costs the sender.
pub const LONGEST: usize = 1024;

/// Text that is stored and never printed.
#[derive(Clone, PartialEq, Eq, sea_orm::DeriveValueType)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("secret")
    }
}

/// Hashes and checks. Checking a user that does not exist takes as long as checking one that does.
pub struct Hasher {
    slots: Arc<Semaphore>,
    /// The hash of a password nobody knows, checked in place of a missing one.
    decoy: String,
}

impl Hasher {
    pub fn new() -> Result<Self> {
        let slots = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            slots: Arc::new(Semaphore::new(slots)),
            decoy: hash(&uuid::Uuid::new_v4().to_string())?,
        })
    }

    pub async fn hash(&self, password: String) -> Result<Secret> {
        if password.is_empty() || password.len() > LONGEST {
            return Err(Error::invalid(format!("a password has 1 to {LONGEST} bytes")));
        }
        self.blocking(move || hash(&password).map(Secret)).await
    }

    /// Whether `password` is the one `stored` was made from; without a stored one, no, but as slowly.
    pub async fn check(&self, password: String, stored: Option<Secret>) -> Result<bool> {
        let exists = stored.is_some();
        let stored = stored.map_or_else(|| self.decoy.clone(), |secret| secret.0);
        if password.len() > LONGEST {
            return Ok(false);
        }
        let matches = self.blocking(move || check(&password, &stored)).await?;
        Ok(matches && exists)
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let slot = self.slots.clone().acquire_owned().await;
        let slot = slot.map_err(|e| Error::broken("hashing passwords has stopped").because(e))?;
        let task = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        });
        task.await
            .map_err(|e| Error::broken("hashing a password failed").because(e))?
    }
}

fn hash(password: &str) -> Result<String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|e| Error::broken("the password could not be hashed").because(e))
}

fn check(password: &str, stored: &str) -> Result<bool> {
    let stored =
        PasswordHash::new(stored).map_err(|e| Error::broken("a stored password hash cannot be read").because(e))?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_real_user_is_accepted() {
        let hasher = Hasher::new().unwrap();
        let stored = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(stored.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(format!("{stored:?}"), "secret");
        assert!(
            hasher
                .check("correct horse".to_owned(), Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(!hasher.check("wrong".to_owned(), Some(stored)).await.unwrap());
        assert!(!hasher.check("correct horse".to_owned(), None).await.unwrap());
        assert!(hasher.hash(String::new()).await.is_err());
        assert!(hasher.hash("x".repeat(LONGEST + 1)).await.is_err());
    }
}
