//! An amount of memory or storage in bytes, written `512M`, `1.5G`, `20G`.

use std::{fmt, str::FromStr};

use serde::de;

use crate::{Error, Result};

/// Bytes. Text uses binary multiples (`K M G T`, optionally followed by `iB`); a bare number is bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "db", derive(sea_orm::DeriveValueType))]
pub struct Size(i64);

const UNITS: [(char, u32); 5] = [('P', 50), ('T', 40), ('G', 30), ('M', 20), ('K', 10)];

impl Size {
    pub const ZERO: Self = Self(0);

    pub const fn mib(n: i64) -> Self {
        Self(n << 20)
    }

    pub const fn gib(n: i64) -> Self {
        Self(n << 30)
    }

    /// Amounts beyond 8 EiB are held at that limit.
    pub fn bytes(n: u64) -> Self {
        Self(i64::try_from(n).unwrap_or(i64::MAX))
    }

    pub const fn as_bytes(self) -> u64 {
        self.0 as u64
    }

    pub const fn as_mib(self) -> u64 {
        (self.0 >> 20) as u64
    }

    /// Whole GiB, rounded up: what a quota counts.
    pub const fn gib_up(self) -> i64 {
        (self.0 + (1 << 30) - 1) >> 30
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, shift) in UNITS {
            if self.0 != 0 && self.0 % (1 << shift) == 0 {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Size {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "`{text}` is not a size: write a number and K, M, G or T, for example 512M"
            ))
        };
        let upper = text.trim().to_ascii_uppercase();
        let bare = upper.strip_suffix("IB").or(upper.strip_suffix('B')).unwrap_or(&upper);
        let (number, shift) = match bare
            .chars()
            .last()
            .and_then(|c| UNITS.iter().find(|(unit, _)| *unit == c))
        {
            Some((unit, shift)) => (bare.trim_end_matches(*unit), *shift),
            None => (bare, 0),
        };
        let value: f64 = number.trim().parse().map_err(|_| wrong())?;
        let bytes = value * (1u64 << shift) as f64;
        if !(0.0..=9e18).contains(&bytes) {
            return Err(wrong());
        }
        Ok(Self(bytes as i64))
    }
}

impl serde::Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a text such as \"512M\"")
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Size, E> {
                i64::try_from(n)
                    .map(Size)
                    .map_err(|_| E::custom("a size is at most 8 EiB"))
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Size, E> {
                u64::try_from(n)
                    .map_err(|_| E::custom("a size is not negative"))
                    .and_then(|n| self.visit_u64(n))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Bytes)
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Size {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat, schema::Type};
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .description(Some("bytes; a request may also write a text such as \"512M\""))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Size {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, bytes) in [
            ("512M", 512 << 20),
            ("1.5GiB", 3 << 29),
            ("2g", 2 << 30),
            ("1024", 1024),
            ("20 G", 20 << 30),
        ] {
            assert_eq!(text.parse::<Size>().unwrap().as_bytes(), bytes, "{text}");
        }
        for text in ["", "G", "-1G", "1X", "1e30"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert_eq!(Size::gib(20).to_string(), "20G");
        assert_eq!(Size::bytes(1_500_000_000).gib_up(), 2);
    }
}
