//! Which operation a script may use in which phase.

use crate::text::text_enum;

text_enum! {
    /// The part of a script that is being called.
    pub enum ScriptPhase ("a script phase") {
        /// A producer's handler.
        Producer = "producer",
        /// A consumer's `prepare`.
        Prepare = "prepare",
        /// A consumer's `mutate`.
        Mutate = "mutate",
        /// A consumer's `next`.
        Next = "next",
    }
}

text_enum! {
    /// What a host call does.
    pub enum Operation ("an operation") {
        /// Looks at the outside world.
        Read = "read",
        /// Changes the outside world.
        Mutation = "mutation",
        /// Looks at the events of a topic.
        TopicPeek = "topic_peek",
        /// Puts an event into a topic.
        TopicPublish = "topic_publish",
        /// Enters an outside thing into the input ledger.
        RegisterInput = "register_input",
    }
}

impl ScriptPhase {
    /// Whether this phase may use `operation`.
    ///
    /// `mutate` may use one mutation, which ends it; that it is only one follows from the end.
    #[must_use]
    pub const fn permits(self, operation: Operation) -> bool {
        match self {
            Self::Producer => {
                matches!(
                    operation,
                    Operation::Read | Operation::TopicPublish | Operation::RegisterInput
                )
            }
            Self::Prepare => matches!(operation, Operation::Read | Operation::TopicPeek),
            Self::Mutate => matches!(operation, Operation::Mutation),
            Self::Next => matches!(operation, Operation::TopicPublish),
        }
    }

    /// Why `call` (for example `Files.append`) is refused here, and where it belongs.
    #[must_use]
    pub fn violation(self, call: &str, operation: Operation) -> String {
        let (what, home) = match operation {
            Operation::Read => ("reads the outside world", "a producer's handler or `prepare`"),
            Operation::Mutation => ("changes the outside world", "`mutate`"),
            Operation::TopicPeek => ("reads a topic", "`prepare`"),
            Operation::TopicPublish => ("publishes an event", "a producer's handler or `next`"),
            Operation::RegisterInput => ("registers an input", "a producer's handler"),
        };
        let here = match self {
            Self::Producer => "a producer's handler",
            Self::Prepare => "`prepare`",
            Self::Mutate => "`mutate`",
            Self::Next => "`next`",
        };
        format!("`{call}` {what}, which {here} may not do: call it in {home}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_phases_and_operations() {
        let table: Vec<String> = ScriptPhase::ALL
            .iter()
            .map(|phase| {
                let allowed: Vec<_> = Operation::ALL
                    .iter()
                    .filter(|operation| phase.permits(**operation))
                    .map(|o| o.as_str())
                    .collect();
                format!("{phase}: {}", allowed.join(" "))
            })
            .collect();

        assert_eq!(
            table,
            [
                "producer: read topic_publish register_input",
                "prepare: read topic_peek",
                "mutate: mutation",
                "next: topic_publish",
            ]
        );
    }
}
