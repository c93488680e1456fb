//! The stored form of values, the same in both databases.

use std::io::Write as _;

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Text as SqlText};
use diesel::sqlite::{Sqlite, SqliteValue};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::{Text, Timestamp};

/// A text that both databases can store: PostgreSQL cannot store the character NUL.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}

/// The same for a value: PostgreSQL reads no JSON in which a text has NUL, and the views read it.
pub(crate) fn storable_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text)),
        Value::Array(items) => items.into_iter().map(storable_json).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields.map(|(name, field)| (storable(name), storable_json(field))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

/// A value stored as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = SqlText)]
pub(crate) struct Db<T>(pub(crate) T);

/// A value stored as JSON text.
#[derive(Debug, Clone, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = SqlText)]
pub(crate) struct Json<T = Value>(pub(crate) T);

/// An instant stored as microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = BigInt)]
pub(crate) struct At(pub(crate) Timestamp);

impl<T: Text + std::fmt::Debug> ToSql<SqlText, Sqlite> for Db<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_text());
        Ok(IsNull::No)
    }
}

impl<T: Text + std::fmt::Debug> ToSql<SqlText, Pg> for Db<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.to_text().as_bytes())?;
        Ok(IsNull::No)
    }
}

impl<T: Text> FromSql<SqlText, Sqlite> for Db<T> {
    fn from_sql(stored: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        parse_text(&<String as FromSql<SqlText, Sqlite>>::from_sql(stored)?)
    }
}

impl<T: Text> FromSql<SqlText, Pg> for Db<T> {
    fn from_sql(stored: PgValue<'_>) -> deserialize::Result<Self> {
        parse_text(&<String as FromSql<SqlText, Pg>>::from_sql(stored)?)
    }
}

fn parse_text<T: Text>(text: &str) -> deserialize::Result<Db<T>> {
    Ok(Db(T::parse_text(text)?))
}

impl<T: Serialize + std::fmt::Debug> ToSql<SqlText, Sqlite> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}

impl<T: Serialize + std::fmt::Debug> ToSql<SqlText, Pg> for Json<T> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        serde_json::to_writer(out, &self.0)?;
        Ok(IsNull::No)
    }
}

impl<T: DeserializeOwned> FromSql<SqlText, Sqlite> for Json<T> {
    fn from_sql(stored: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        parse_json(&<String as FromSql<SqlText, Sqlite>>::from_sql(stored)?)
    }
}

impl<T: DeserializeOwned> FromSql<SqlText, Pg> for Json<T> {
    fn from_sql(stored: PgValue<'_>) -> deserialize::Result<Self> {
        parse_json(&<String as FromSql<SqlText, Pg>>::from_sql(stored)?)
    }
}

fn parse_json<T: DeserializeOwned>(text: &str) -> deserialize::Result<Json<T>> {
    Ok(Json(serde_json::from_str(text)?))
}

impl ToSql<BigInt, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_micros());
        Ok(IsNull::No)
    }
}

impl ToSql<BigInt, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<BigInt, Pg>::to_sql(&self.0.as_micros(), &mut out.reborrow())
    }
}

impl FromSql<BigInt, Sqlite> for At {
    fn from_sql(stored: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Timestamp::from_micros(FromSql::<BigInt, Sqlite>::from_sql(stored)?)))
    }
}

impl FromSql<BigInt, Pg> for At {
    fn from_sql(stored: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Timestamp::from_micros(FromSql::<BigInt, Pg>::from_sql(stored)?)))
    }
}
