//! Values that are stored, logged and shown as one short text.

use std::fmt;

/// A value with exactly one spelling, the same in the database, in JSON and on the screen.
///
/// `parse(as_text(x)) == x` for every `x`.
pub trait Text: Sized {
    /// The spelling.
    fn to_text(&self) -> String;

    /// Reads a spelling back.
    ///
    /// # Errors
    /// [`UnknownText`] where `text` is no spelling of this type.
    fn parse_text(text: &str) -> Result<Self, UnknownText>;
}

/// A text that is no value of the type it was read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct UnknownText {
    /// What was read.
    pub text: String,
    /// What would have been right, in words.
    pub expected: String,
}

impl UnknownText {
    /// Names what was read and what would have been right.
    pub fn new(text: impl fmt::Display, expected: impl fmt::Display) -> Self {
        Self { text: text.to_string(), expected: expected.to_string() }
    }
}

/// Declares an enum whose variants have one spelling each: [`Text`], `Display`, `FromStr` and serde agree on it.
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident ($what:literal) { $( $(#[$variant_meta:meta])* $variant:ident = $text:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $( $(#[$variant_meta])* $variant, )+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The one spelling of this value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        $crate::text::text_impls!($name);

        impl $crate::text::Text for $name {
            fn to_text(&self) -> String {
                self.as_str().to_owned()
            }

            fn parse_text(text: &str) -> Result<Self, $crate::text::UnknownText> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => {
                        let known = [$($text),+].join(", ");
                        Err($crate::text::UnknownText::new(other, format_args!("{} (one of {known})", $what)))
                    }
                }
            }
        }
    };
}

/// `Display`, `FromStr` and serde through [`Text`].
macro_rules! text_impls {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&$crate::text::Text::to_text(self))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::UnknownText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::text::Text::parse_text(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text =
                    <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                $crate::text::Text::parse_text(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {text_enum, text_impls};
