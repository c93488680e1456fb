//! What a script or a plan may call: what `--allow` names, or what a person at the terminal confirms.

use std::io::{IsTerminal as _, stdin};

use windlass_api::service::list_grant;
use windlass_core::Grant;

use crate::context::Context;
use crate::exit::{CommandError, Result};

/// Asks the person at the terminal to allow the calls, or fails.
pub(super) fn require_allowed(context: &Context, what: &str, grant: &Grant) -> Result<()> {
    if confirm(context, &format!("{what} {}. Allow that?", list_grant(grant)))? {
        return Ok(());
    }
    Err(CommandError::Refused {
        code: "not_allowed",
        message: "nothing was changed".to_owned(),
        hint: "say with `--allow` what it may call".to_owned(),
    })
}

/// Whether somebody can be asked.
pub(super) fn has_person(context: &Context) -> bool {
    !context.output.is_json() && stdin().is_terminal()
}

/// Asks a question that is answered with yes or no.
pub(super) fn confirm(context: &Context, question: &str) -> Result<bool> {
    context.output.progress(format_args!("{question} [y/N]"));
    let mut answer = String::new();
    stdin()
        .read_line(&mut answer)
        .map_err(|source| CommandError::System { attempt: "read your answer", source })?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
