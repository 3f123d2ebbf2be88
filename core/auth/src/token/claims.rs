//! What a token says. Names are short because every request carries them.

use serde::{Deserialize, Serialize};
use types::{DomainId, Timestamp, UserId};

use crate::cx::{Scope, Who};

/// The signed content of a token. Times are JWT numeric dates with microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    #[serde(rename = "sub")]
    pub user: UserId,
    #[serde(rename = "name")]
    pub user_name: String,
    /// The domain the user belongs to.
    #[serde(rename = "dom")]
    pub domain: DomainId,
    pub scope: Scope,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(rename = "iat", with = "numeric_date")]
    pub issued_at: Timestamp,
    #[serde(rename = "exp", with = "numeric_date")]
    pub expires_at: Timestamp,
    /// This token's own id, then the id of the login it was derived from, if any.
    #[serde(rename = "aid")]
    pub audit_ids: Vec<String>,
    /// The user's epoch at issue; a later epoch ends the token.
    #[serde(rename = "ep")]
    pub epoch: i64,
    /// How the user proved who they are: `password`, `token`.
    #[serde(rename = "amr")]
    pub methods: Vec<String>,
}

impl Claims {
    pub fn who(&self) -> Who {
        Who {
            user: self.user.clone(),
            user_name: self.user_name.clone(),
            domain: self.domain.clone(),
            scope: self.scope.clone(),
            roles: self.roles.clone(),
        }
    }
}

mod numeric_date {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use types::Timestamp;

    const MICROS: f64 = 1e6;

    #[allow(clippy::cast_precision_loss)] // exact until the year 2255
    pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(time.as_micros() as f64 / MICROS)
    }

    #[allow(clippy::cast_possible_truncation)] // bounded just above
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let seconds = f64::deserialize(from)?;
        if !(0.0..1e11).contains(&seconds) {
            return Err(D::Error::custom("a numeric date lies outside the calendar"));
        }
        Ok(Timestamp::from_micros((seconds * MICROS).round() as i64))
    }
}
