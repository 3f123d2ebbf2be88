//! Tokens: JWTs signed with Ed25519 by keystone alone, verified everywhere with its published keys.
//! A token carries the roles it was issued with; [`Revocations`] end it before it expires.

mod claims;
mod keys;
mod sign;
mod verify;

pub use claims::Claims;
pub use keys::{KeySet, KeySource, PublicKey, Revocations};
pub use sign::{KeyPair, Signer};
pub use verify::Verifier;

/// No token of ours is longer; anything longer is refused unread.
pub const MAX_LENGTH: usize = 4096;

/// A new audit id: what a single token is known and revoked by.
pub fn audit_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id[..22].to_owned()
}
