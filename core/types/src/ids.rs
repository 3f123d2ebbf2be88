//! Typed ids. Ours are UUIDv7, so they sort by creation, written `srv-` plus 26 base32 digits;
//! ids that other systems also mint (users, projects, images) are opaque text.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{Error, Result};

/// RFC 4648 base32hex digits in lower case: text order equals byte order.
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

fn encode(id: Uuid) -> String {
    let mut value = id.as_u128();
    let mut digits = [0u8; 26];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value & 31) as usize];
        value >>= 5;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

fn decode(text: &str) -> Option<Uuid> {
    let digits = text.as_bytes();
    if digits.len() != 26 || digits[0] > b'7' {
        return None;
    }
    let mut value = 0u128;
    for digit in digits {
        value = (value << 5) | DIGITS.iter().position(|d| d == digit)? as u128;
    }
    Some(Uuid::from_u128(value))
}

macro_rules! text_traits {
    ($($name:ident)*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        #[cfg(feature = "db")]
        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .into()
            }
        }
        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    )*};
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "db", derive(sea_orm::DeriveValueType), sea_orm(value_type = "String"))]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &str = $prefix;

            /// A new id, later than all made before it on this machine.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}-{}", $prefix, encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                text.strip_prefix(concat!($prefix, "-"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or_else(|| Error::invalid(format!(concat!("`{}` is not a ", $prefix, " id"), text)))
            }
        }

        text_traits!($name);
    )*};
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "db", derive(sea_orm::DeriveValueType), sea_orm(value_type = "String"))]
        pub struct $name(String);

        impl $name {
            /// A new random id: 32 hexadecimal digits.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(Uuid::new_v4().simple().to_string())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                if text.is_empty() || text.len() > 64 || !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                    return Err(Error::invalid(format!("`{text}` is not an id: use 1 to 64 letters, digits, `-` or `_`")));
                }
                Ok(Self(text.to_owned()))
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id.hyphenated().to_string())
            }
        }

        text_traits!($name);
    )*};
}

ids! {
    RegionId = "rgn",
    ZoneId = "zone",
    AccountId = "acct",
    HostId = "host",
    StorageId = "stor",
    NetworkId = "net",
    /// One address of a network, in use or reserved.
    AddressId = "addr",
    ServerId = "srv",
    DiskId = "disk",
    SnapshotId = "snap",
    KeypairId = "key",
    FlavorId = "flv",
    TaskId = "task",
    EventId = "evt",
    ClaimId = "claim",
    JoinTokenId = "join",
}

text_ids! {
    DomainId,
    ProjectId,
    UserId,
    GroupId,
    RoleId,
    /// A hyphenated UUID, as the OpenStack Image API wants it.
    ImageId,
}

/// The id a cloud gave to something of its own: any text, never interpreted by anyone but its driver.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "db", derive(sea_orm::DeriveValueType))]
#[serde(transparent)]
pub struct ExternalRef(String);

impl ExternalRef {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ExternalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_sorts_by_creation() {
        let (first, second) = (ServerId::new(), ServerId::new());
        assert!(first.to_string() < second.to_string());
        assert_eq!(first.to_string().parse::<ServerId>(), Ok(first));
        assert_eq!(first.to_string().len(), "srv-".len() + 26);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let disk = DiskId::new().to_string();
        assert_eq!(
            disk.parse::<ServerId>().unwrap_err().message,
            format!("`{disk}` is not a srv id")
        );
        assert!("srv-zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<ServerId>().is_err());
    }
}
