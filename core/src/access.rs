//! Who may do what from outside: scopes, and the credentials that carry them.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::actor::Actor;
use crate::text::{Text, UnknownText, text_enum, text_impls};
use crate::time::Timestamp;

text_enum! {
    /// One kind of thing that a caller may do.
    pub enum Scope("a scope") {
        /// See everything but secrets.
        Read = "read",
        /// Begin, pause and resume workflows.
        Run = "run",
        /// Deploy scripts and plans.
        Deploy = "deploy",
        /// Decide what only a person may: effects in doubt, approvals, events, limits.
        Settle = "settle",
        /// Work on plans and keep a journal, as an agent.
        Agent = "agent",
        /// Read the metrics.
        Metrics = "metrics",
        /// Everything, and who else may do what.
        Admin = "admin",
    }
}

/// What a caller may do: a set of [`Scope`]s, written with commas between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Whether a caller with these scopes may do what `wanted` names. [`Scope::Admin`] contains all others.
    #[must_use]
    pub fn allow(&self, wanted: Scope) -> bool {
        self.0.contains(&wanted) || self.0.contains(&Scope::Admin)
    }

    /// Checks that `actor` may have these scopes: an agent never decides what is left to a person.
    ///
    /// # Errors
    /// [`ScopeRefused`] with the first scope that an agent cannot have.
    pub fn check_for(&self, actor: &Actor) -> Result<(), ScopeRefused> {
        let is_for_people = |scope: &&Scope| matches!(scope, Scope::Settle | Scope::Admin);
        match (actor, self.0.iter().find(is_for_people)) {
            (Actor::Agent(agent), Some(scope)) => {
                Err(ScopeRefused { agent: agent.clone(), scope: *scope })
            }
            _ => Ok(()),
        }
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl Text for Scopes {
    fn to_text(&self) -> String {
        self.0.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(",")
    }

    fn parse_text(text: &str) -> Result<Self, UnknownText> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(|scope| Scope::parse_text(scope.trim())).collect()
    }
}

text_impls!(Scopes);

/// A scope that an agent cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("agent `{agent}` cannot have the scope `{scope}`: what it allows is decided by people")]
pub struct ScopeRefused {
    /// The agent's name.
    pub agent: String,
    /// The scope.
    pub scope: Scope,
}

text_enum! {
    /// What a secret is that its holder shows.
    pub enum CredentialKind("a kind of credential") {
        /// A token, which a program sends with each request.
        Token = "token",
        /// A link that signs a person in, once.
        SignIn = "sign_in",
        /// The cookie of a browser in which a person has signed in.
        Browser = "browser",
    }
}

impl CredentialKind {
    /// How long a credential of this kind is good for where nobody says otherwise.
    #[must_use]
    pub const fn lifetime(self) -> Duration {
        const MINUTE: u64 = 60;
        const DAY: u64 = 24 * 60 * MINUTE;
        Duration::from_secs(match self {
            Self::Token => 90 * DAY,
            Self::SignIn => 15 * MINUTE,
            Self::Browser => 30 * DAY,
        })
    }

    /// After how long without use it is good no longer; none if that does not matter.
    #[must_use]
    pub const fn idle_time(self) -> Option<Duration> {
        match self {
            Self::Browser => Some(Duration::from_secs(12 * 60 * 60)),
            Self::Token | Self::SignIn => None,
        }
    }
}

/// When a credential was made, used and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CredentialTimes {
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When somebody ended it, or it was used up.
    pub ended_at: Option<Timestamp>,
}

impl CredentialTimes {
    /// Whether a credential of this kind is good at `now`.
    #[must_use]
    pub fn are_good(&self, kind: CredentialKind, now: Timestamp) -> bool {
        let used_at = self.last_used_at.unwrap_or(self.created_at);
        let is_idle = kind.idle_time().is_some_and(|idle| now >= used_at.after(idle));
        self.ended_at.is_none() && now < self.expires_at && !is_idle
    }

    /// Whether its last use is so long ago that a new one is noted: the note is to the minute.
    #[must_use]
    pub fn are_stale(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|at| now >= at.after(Duration::from_secs(60)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        text.parse().unwrap()
    }

    #[test]
    fn scopes_allow_what_they_name_and_admin_allows_all() {
        assert!(scopes("read,run").allow(Scope::Run) && !scopes("read,run").allow(Scope::Settle));
        assert!(Scope::ALL.iter().all(|scope| scopes("admin").allow(*scope)));
        assert!(!Scope::ALL.iter().any(|scope| scopes("").allow(*scope)));
        assert_eq!(scopes(" run, read ").to_string(), "read,run");
        assert!("read,write".parse::<Scopes>().unwrap_err().to_string().contains("`write`"));
    }

    #[test]
    fn an_agent_never_decides_for_a_person() {
        let agent = Actor::Agent("claude".to_owned());

        assert!(scopes("read,run,deploy,agent,metrics").check_for(&agent).is_ok());
        for scope in ["settle", "admin"] {
            let refused = scopes(scope).check_for(&agent).unwrap_err();
            assert!(refused.to_string().contains(scope), "{refused}");
            assert!(scopes(scope).check_for(&Actor::User("ada".to_owned())).is_ok());
        }
    }

    #[test]
    fn a_credential_is_good_until_it_expires_ends_or_lies_idle() {
        let at = |minutes: u64| Timestamp::from_micros(0).after(Duration::from_secs(60 * minutes));
        let times = CredentialTimes {
            created_at: at(0),
            expires_at: at(20 * 60),
            last_used_at: Some(at(60)),
            ended_at: None,
        };

        assert!(times.are_good(CredentialKind::Token, at(19 * 60)));
        assert!(!times.are_good(CredentialKind::Token, at(20 * 60)));
        assert!(times.are_good(CredentialKind::Browser, at(12 * 60)));
        assert!(!times.are_good(CredentialKind::Browser, at(13 * 60)));
        let ended = CredentialTimes { ended_at: Some(at(1)), ..times };
        assert!(!ended.are_good(CredentialKind::Token, at(2)));
        assert!(times.are_stale(at(61)) && !times.are_stale(at(60)));
    }
}
