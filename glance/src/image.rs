//! The row of an image, its states and who may see it. Nothing here speaks HTTP.

use std::{collections::BTreeMap, fmt, str::FromStr};

use sea_orm::{DeriveValueType, entity::prelude::*};
use store::{Event, Row, Scoped};
use types::{DomainId, Error, ImageId, Json, ProjectId, Result, Timestamp};

/// One image. Text that the client left out is empty.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "image")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ImageId,
    pub name: String,
    pub status: Status,
    pub visibility: Visibility,
    pub project_id: ProjectId,
    pub domain_id: DomainId,
    pub disk_format: String,
    pub container_format: String,
    /// GiB a root disk needs.
    pub min_disk: i64,
    /// MiB of memory a server needs.
    pub min_ram: i64,
    pub protected: bool,
    pub os_hidden: bool,
    /// Bytes of the file.
    pub size: i64,
    /// Bytes the guest sees.
    pub virtual_size: i64,
    /// MD5, as old clients want it.
    pub checksum: String,
    /// SHA-512 of the content.
    pub digest: String,
    pub blob_id: Option<String>,
    /// What of the quota `image_gib` this image holds.
    pub charged_gib: i64,
    pub tags: Json<Vec<String>>,
    pub properties: Json<BTreeMap<String, String>>,
    /// Where an import under way reads from.
    pub import_from: String,
    /// Why the last import did not succeed.
    pub fault: String,
    /// Who writes the content now, and until when nobody else may.
    pub lease: String,
    pub lease_until: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = NOUN;
    const SCOPED: Scoped = Scoped::Project;
}

/// The word in policies, events and errors.
pub const NOUN: &str = "image";

impl Model {
    pub fn has_data(&self) -> bool {
        self.blob_id.is_some()
    }

    /// An event about this image.
    pub fn event(&self, what: &str) -> Event {
        Event {
            kind: format!("{NOUN}.{what}"),
            id: self.id.to_string(),
            name: self.name.clone(),
            owner: Some((self.project_id.clone(), self.domain_id.clone())),
            data: serde_json::json!({ "status": self.status.as_str() }),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, DeriveValueType)]
        #[sea_orm(value_type = "String")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    Error::invalid(format!(concat!("`{}` is not a ", $what, ": use one of {}"), text, all.join(", ")))
                })
            }
        }
    };
}

words! {
    /// Where the content of an image is.
    Status: "status" {
        /// No content yet.
        Queued = "queued",
        /// Content is being uploaded, for as long as the lease is kept.
        Saving = "saving",
        /// Content is staged; an import makes it active.
        Uploading = "uploading",
        /// Content is being fetched, for as long as the lease is kept.
        Importing = "importing",
        Active = "active",
        /// An operator has closed the content.
        Deactivated = "deactivated",
    }
}

words! {
    /// Who sees an image besides its project.
    Visibility: "visibility" {
        Public = "public",
        Private = "private",
        /// The projects in its list of members.
        Shared = "shared",
        /// Everybody who knows the id.
        Community = "community",
    }
}

impl Status {
    /// The states this one may become. The lease's end is the exit of `saving` and `importing`.
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::Queued => &[Self::Saving, Self::Importing],
            Self::Saving => &[Self::Queued, Self::Uploading, Self::Active],
            Self::Uploading => &[Self::Active],
            Self::Importing => &[Self::Queued, Self::Active],
            Self::Active => &[Self::Deactivated],
            Self::Deactivated => &[Self::Active],
        }
    }

    /// The move, or a conflict that names both states.
    pub fn to(self, next: Self) -> Result<Self> {
        if self.next().contains(&next) {
            return Ok(next);
        }
        Err(Error::conflict(format!("the image is {self} and cannot become {next} from there")).code("wrong_state"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_the_first_is_reached_and_left() {
        for state in Status::ALL {
            assert!(!state.next().is_empty(), "{state} has no exit");
            let reached = Status::ALL.iter().any(|from| from.next().contains(state));
            assert!(reached, "{state} cannot be reached");
        }
        let error = Status::Active.to(Status::Saving).unwrap_err();
        assert_eq!(error.message, "the image is active and cannot become saving from there");
    }
}
