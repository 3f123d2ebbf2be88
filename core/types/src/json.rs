//! A serde value kept as text in one column: the same on every database.

use std::{fmt, ops, str::FromStr};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// Any serialisable value as a column of JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json<T>(pub T);

impl<T> ops::Deref for Json<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> ops::DerefMut for Json<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Serialize> fmt::Display for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

impl<T: DeserializeOwned> FromStr for Json<T> {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|e| Error::broken("a stored JSON column does not have the expected shape").because(e))
    }
}

#[cfg(feature = "db")]
mod db {
    use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value, sea_query};

    use super::*;

    impl<T: Serialize> From<Json<T>> for Value {
        fn from(json: Json<T>) -> Self {
            json.to_string().into()
        }
    }

    impl<T: DeserializeOwned> TryGetable for Json<T> {
        fn try_get_by<I: ColIdx>(row: &QueryResult, column: I) -> Result<Self, TryGetError> {
            let text = String::try_get_by(row, column)?;
            text.parse()
                .map_err(|e: Error| TryGetError::DbErr(DbErr::Type(e.chain())))
        }
    }

    impl<T: DeserializeOwned> sea_query::ValueType for Json<T> {
        fn try_from(value: Value) -> Result<Self, sea_query::ValueTypeErr> {
            let text = <String as sea_query::ValueType>::try_from(value)?;
            text.parse().map_err(|_| sea_query::ValueTypeErr)
        }
        fn type_name() -> String {
            "Json".to_owned()
        }
        fn array_type() -> sea_query::ArrayType {
            sea_query::ArrayType::String
        }
        fn column_type() -> sea_query::ColumnType {
            sea_query::ColumnType::Text
        }
    }

    impl<T> sea_query::Nullable for Json<T> {
        fn null() -> Value {
            Value::String(None)
        }
    }

    impl<T> sea_orm::IntoActiveValue<Json<T>> for Json<T>
    where
        Json<T>: Into<Value>,
    {
        fn into_active_value(self) -> sea_orm::ActiveValue<Self> {
            sea_orm::ActiveValue::Set(self)
        }
    }
}
