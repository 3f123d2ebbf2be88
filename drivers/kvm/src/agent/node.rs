//! What every family of the agent shares: the host's own id, its directory, its libvirt, its accelerator.
//! All methods of [`Node`], here and in the files of the families, block.

use contract::{Error, ExternalRef, Result, Token};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    agent::{accel::Choice, libvirt::Libvirt, locks::Locks, store::Store},
    wire,
};

pub struct Node {
    /// The host's id, which is the first half of every reference.
    pub id: String,
    pub name: String,
    pub store: Store,
    pub libvirt: Libvirt,
    pub accel: Choice,
    pub locks: Locks,
}

impl Node {
    pub fn reference(&self, id: impl ToString) -> ExternalRef {
        wire::reference(&self.id, &id.to_string())
    }

    /// The id part of a reference to something on this host; `noun` is what it should be.
    pub fn local<'a>(&self, noun: &str, reference: &'a ExternalRef) -> Result<&'a str> {
        let (host, id) = wire::split(reference)?;
        if host != self.id {
            let message = format!(
                "{noun} {reference} is on host {host}, not on {}: both must be on one host",
                self.id
            );
            return Err(Error::invalid(message).code("other_host").on(noun, reference));
        }
        Ok(id)
    }

    pub fn local_uuid(&self, noun: &str, reference: &ExternalRef) -> Result<Uuid> {
        parse(noun, self.local(noun, reference)?)
    }
}

/// Ids are UUIDs that we made; any other text names nothing.
pub fn parse(noun: &str, id: &str) -> Result<Uuid> {
    Uuid::parse_str(id).map_err(|_| Error::not_found(noun, id))
}

/// The id of what a token makes: the same for ever, so that asking twice finds what the first asking made.
pub fn id(noun: &str, token: &Token) -> Result<Uuid> {
    let text = token.as_str();
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        return Err(Error::invalid(format!(
            "`{text}` is not a token: use 1 to 64 of a-z, 0-9 and -"
        )));
    }
    let digest = Sha256::digest(format!("{noun}\0{text}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Ok(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Twelve digits of an id, where a name must be short.
pub fn short(id: Uuid) -> String {
    id.simple().to_string()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_makes_one_id_per_kind() {
        let token = Token::new("task-1-2");
        assert_eq!(id("machine", &token).unwrap(), id("machine", &token).unwrap());
        assert_ne!(id("machine", &token).unwrap(), id("volume", &token).unwrap());
        for odd in ["", "A", "../x", &"x".repeat(65)] {
            assert!(id("machine", &Token::new(odd)).is_err(), "{odd}");
        }
    }
}
