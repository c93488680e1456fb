//! Which tools a workflow may call. A person grants them when a script is deployed; every call is checked against the grant.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A tool, or a tool limited to one target: `Files.append`, `Http.post:api.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability {
    namespace: String,
    method: String,
    scope: Option<String>,
}

/// A text that does not name a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no tool: write `Files.append`, or `Http.post:api.example.com` for one server"
)]
pub struct InvalidCapability {
    /// As it was written.
    pub text: String,
}

impl Capability {
    /// A tool with any target.
    pub fn tool(namespace: impl Into<String>, method: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), method: method.into(), scope: None }
    }

    /// The same tool, limited to the target `scope` where there is one.
    #[must_use]
    pub fn on(self, scope: Option<String>) -> Self {
        Self { scope, ..self }
    }

    /// The tool's namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The tool's method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The one target that it is limited to.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Whether both name the same tool, with whatever target.
    #[must_use]
    pub fn is_same_tool(&self, other: &Self) -> bool {
        (&self.namespace, &self.method) == (&other.namespace, &other.method)
    }

    /// Whether this allows everything that `other` allows. A target that is a folder covers everything in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let is_in = |folder: &str, target: &str| {
            let rest = target.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.is_same_tool(other)
            && match (&self.scope, &other.scope) {
                (None, _) => true,
                (Some(folder), Some(target)) => is_in(folder, target),
                (Some(_), None) => false,
            }
    }
}

impl std::str::FromStr for Capability {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Self, InvalidCapability> {
        let (tool, scope) = match text.split_once(':') {
            Some((tool, scope)) => (tool, Some(scope.trim_end_matches('/').to_owned())),
            None => (text, None),
        };
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_alphabetic())
                && word.chars().all(|c| c.is_ascii_alphanumeric())
        };
        match tool.split_once('.') {
            Some((namespace, method))
                if is_word(namespace) && is_word(method) && scope.as_deref() != Some("") =>
            {
                Ok(Self { namespace: namespace.to_owned(), method: method.to_owned(), scope })
            }
            _ => Err(InvalidCapability { text: text.to_owned() }),
        }
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.namespace, self.method)?;
        match &self.scope {
            Some(scope) => write!(f, ":{scope}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Capability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Capability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The tools that a script version may call, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grant(BTreeSet<Capability>);

impl Grant {
    /// Its capabilities, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }

    /// Whether it allows nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a call of `called` is allowed.
    #[must_use]
    pub fn allows(&self, called: &Capability) -> bool {
        self.0.iter().any(|granted| granted.covers(called))
    }

    /// The capabilities of `other` that this grant does not cover.
    #[must_use]
    pub fn not_covered(&self, other: &Self) -> Self {
        Self(other.0.iter().filter(|wanted| !self.allows(wanted)).cloned().collect())
    }
}

impl FromIterator<Capability> for Grant {
    fn from_iter<T: IntoIterator<Item = Capability>>(capabilities: T) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(texts: &[&str]) -> Grant {
        texts.iter().map(|text| text.parse::<Capability>().unwrap()).collect()
    }

    #[test]
    fn a_tool_is_allowed_everywhere_and_a_narrowed_one_only_there() {
        let grant = grant(&["Files.append", "Http.post:api.example.com"]);

        for (called, is_allowed) in [
            ("Files.append", true),
            ("Files.append:out", true),
            ("Http.post:api.example.com", true),
            ("Http.post:example.com", false),
            ("Http.post", false),
            ("Http.get:api.example.com", false),
        ] {
            assert_eq!(grant.allows(&called.parse().unwrap()), is_allowed, "{called}");
        }
        assert!(!Grant::default().allows(&Capability::tool("Files", "append")));
    }

    #[test]
    fn a_folder_covers_what_is_in_it_and_no_other_folder() {
        let grant = grant(&["Files.read:data/in/", "Files.append:out"]);

        for (called, is_allowed) in [
            ("Files.read:data/in", true),
            ("Files.read:data/in/a/b.txt", true),
            ("Files.read:data/inner/a.txt", false),
            ("Files.read:data/out/a.txt", false),
            ("Files.read:data", false),
            ("Files.append:out/a.txt", true),
            ("Files.append:outer/a.txt", false),
            ("Files.append:data/in/a.txt", false),
        ] {
            assert_eq!(grant.allows(&called.parse().unwrap()), is_allowed, "{called}");
        }
    }

    #[test]
    fn what_a_grant_does_not_cover_is_named() {
        let granted = grant(&["Files.append:out", "Http.get"]);

        let wanted = grant(&["Files.append", "Files.append:out", "Http.get:a.example.com"]);

        assert_eq!(granted.not_covered(&wanted), grant(&["Files.append"]));
        assert!(wanted.not_covered(&grant(&["Files.append:out"])).is_empty());
    }

    #[test]
    fn a_capability_reads_back_from_its_text_and_nothing_else_does() {
        for text in ["Files.append", "Http.post:127.0.0.1", "Http.post:[::1]"] {
            assert_eq!(text.parse::<Capability>().unwrap().to_string(), text);
        }
        for text in ["", "Files", "Files.", ".append", "Files.append:", "Files append", "*.append"]
        {
            assert!(text.parse::<Capability>().is_err(), "{text}");
        }
    }
}
