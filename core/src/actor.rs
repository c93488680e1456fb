//! Who did something.

use crate::text::{Text, UnknownText, text_impls};

/// Who did something, as the journal names it: `user:NAME`, `agent:NAME`, `worker:ID` or `windlass`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A person.
    User(String),
    /// An agent.
    Agent(String),
    /// A worker process.
    Worker(String),
    /// The engine itself.
    Windlass,
}

impl Actor {
    /// Whether it is that agent. The name may be written with or without `agent:`.
    #[must_use]
    pub fn is_agent(&self, name: &str) -> bool {
        match self {
            Self::Agent(own) => own == name.strip_prefix("agent:").unwrap_or(name),
            Self::User(_) | Self::Worker(_) | Self::Windlass => false,
        }
    }

    /// Whether the text names it: its own spelling, or the bare name of an agent.
    #[must_use]
    pub fn is_named(&self, text: &str) -> bool {
        self.to_text() == text || (!text.contains(':') && self.is_agent(text))
    }
}

impl Text for Actor {
    fn to_text(&self) -> String {
        match self {
            Self::User(name) => format!("user:{name}"),
            Self::Agent(name) => format!("agent:{name}"),
            Self::Worker(id) => format!("worker:{id}"),
            Self::Windlass => "windlass".to_owned(),
        }
    }

    fn parse_text(text: &str) -> Result<Self, UnknownText> {
        match text.split_once(':') {
            Some(("user", name)) if !name.is_empty() => Ok(Self::User(name.to_owned())),
            Some(("agent", name)) if !name.is_empty() => Ok(Self::Agent(name.to_owned())),
            Some(("worker", id)) if !id.is_empty() => Ok(Self::Worker(id.to_owned())),
            None if text == "windlass" => Ok(Self::Windlass),
            _ => Err(UnknownText::new(
                text,
                "an actor: write `user:NAME`, `agent:NAME` or `windlass`",
            )),
        }
    }
}

text_impls!(Actor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_reads_back_from_its_text() {
        for text in ["user:ada", "agent:claude:1", "worker:wrk_1", "windlass"] {
            assert_eq!(text.parse::<Actor>().unwrap().to_string(), text);
        }
        for text in ["", "ada", "user:", "robot:x"] {
            assert!(text.parse::<Actor>().is_err(), "{text}");
        }
        let agent: Actor = "agent:ada".parse().unwrap();
        assert!(agent.is_agent("ada") && agent.is_agent("agent:ada") && agent.is_named("ada"));
        let person: Actor = "user:ada".parse().unwrap();
        assert!(!person.is_agent("ada") && !person.is_named("ada") && person.is_named("user:ada"));
    }
}
