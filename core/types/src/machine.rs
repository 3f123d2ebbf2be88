//! State machines as tables: one enum and one list of moves per resource.

/// Declares the states of a resource and the only moves between them.
///
/// Every transitional state must have an exit; `tests::every_transitional_state_has_an_exit` in
/// [`crate::states`] checks it for all tables.
#[macro_export]
macro_rules! machine {
    ($(#[$doc:meta])* $name:ident { $($(#[$sdoc:meta])* $state:ident = $text:literal $kind:ident -> [$($next:ident),*],)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "db", derive(sea_orm::DeriveValueType), sea_orm(value_type = "String"))]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$sdoc])* #[serde(rename = $text)] $state,)* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$state),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$state => $text,)* }
            }

            /// The states this one may become.
            pub const fn next(self) -> &'static [Self] {
                match self { $(Self::$state => &[$(Self::$next),*],)* }
            }

            /// Whether something is under way that must end by itself.
            pub const fn is_transitional(self) -> bool {
                match self { $(Self::$state => $crate::machine::Rest::$kind.is_transitional(),)* }
            }

            pub fn may_become(self, next: Self) -> bool {
                self.next().contains(&next)
            }

            /// The move, or a conflict that names both states.
            pub fn to(self, next: Self) -> $crate::Result<Self> {
                if self.may_become(next) {
                    return Ok(next);
                }
                Err($crate::Error::conflict(format!("it is {self} and cannot become {next} from there")).code("wrong_state"))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;
            fn from_str(text: &str) -> $crate::Result<Self> {
                Self::ALL.iter().copied().find(|s| s.as_str() == text).ok_or_else(|| {
                    let all: Vec<_> = Self::ALL.iter().map(|s| s.as_str()).collect();
                    $crate::Error::invalid(format!("`{text}` is not one of {}", all.join(", ")))
                })
            }
        }
    };
}

/// Whether a state is one in which things may stay.
pub enum Rest {
    /// Nothing is under way.
    Resting,
    /// A task is under way; success, failure and timeout all lead out.
    Moving,
    /// Nothing leads out.
    Final,
}

impl Rest {
    pub const fn is_transitional(self) -> bool {
        matches!(self, Self::Moving)
    }
}
