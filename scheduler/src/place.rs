//! Where an effect happens. A look-up proves something only about the place in which it looks.

use std::time::Duration;

use serde_json::Value;
use windlass_core::{Failure, digest};

use crate::tool::Tool;

/// A place in which effects happen, as one worker sees it: a folder of one machine, a server, a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What a person calls it: "folder `out`".
    pub name: String,
    /// The same for the same place, and different for another one. The ledger keeps it.
    pub identity: String,
}

impl Place {
    /// The place that `parts` identify.
    #[must_use]
    pub fn new(name: String, parts: &Value) -> Self {
        Self { name, identity: digest(parts) }
    }
}

/// Identifies the place in which a call would have its effect now. Without an answer nothing is recorded, and then nothing that is
/// missing will prove anything.
pub(crate) async fn identity(
    tool: &dyn Tool,
    input: &Value,
    time_limit: Duration,
) -> Option<String> {
    let place = tokio::time::timeout(time_limit, tool.place(input)).await.ok()?;
    place.ok()?.map(|place| place.identity)
}

/// Checks that a look-up would look in the place in which the effect was to happen.
///
/// # Errors
/// A failure that says why nothing can be proved here.
pub(crate) async fn check(
    tool: &dyn Tool,
    input: &Value,
    recorded: Option<&str>,
) -> Result<(), Failure> {
    let present = tool.place(input).await?;
    if present.as_ref().map(|place| place.identity.as_str()) == recorded {
        return Ok(());
    }
    let name = present.map_or_else(|| format!("`{}`", tool.spec().name()), |place| place.name);
    Err(Failure::internal(match recorded {
        Some(_) => format!(
            "this worker sees another {name} than the one in which the effect was to happen, so what it finds there proves nothing"
        ),
        None => format!(
            "the ledger does not say in which {name} the effect was to happen, so what is found in this one proves nothing"
        ),
    }))
}

#[cfg(test)]
mod tests;
