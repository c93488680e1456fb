//! What a deployment lets a script call, and who agreed to it.

use std::io::{IsTerminal as _, stdin};

use windlass_core::{Capability, Grant};

use super::Context;
use crate::exit::{CommandError, Result};

/// What the command line says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    /// Exactly these, where there are any.
    pub(crate) allow: &'a [Capability],
    /// Whatever the script calls.
    pub(crate) yes: bool,
}

/// Decides what a version may call: what `--allow` names; else what the script is seen to call, within what the version before it
/// was allowed. Whatever goes beyond that version is confirmed by a person at the terminal or by `--yes`.
///
/// # Errors
/// Where nobody confirmed it.
pub(crate) fn choose(
    context: &Context,
    wish: Wish<'_>,
    called: &Grant,
    earlier: Option<&Grant>,
) -> Result<Grant> {
    if !wish.allow.is_empty() {
        return Ok(wish.allow.iter().cloned().collect());
    }
    let grant = inherited(called, earlier);
    let Some(earlier) = earlier else {
        let is_agreed = wish.yes || !asks(context) || ask(context, "It calls", &grant)?;
        return if is_agreed { Ok(grant) } else { Err(refused_by_person()) };
    };
    let beyond = earlier.beyond(&grant);
    if beyond.is_empty() || wish.yes || (asks(context) && ask(context, "It newly calls", &beyond)?)
    {
        return Ok(grant);
    }
    if asks(context) {
        return Err(refused_by_person());
    }
    Err(CommandError::Refused {
        code: "wider_grant",
        message: format!("the script calls {}, which the version before it was not allowed", list(&beyond)),
        hint: "look at what it does with it, then deploy it with `--yes`, or say with `--allow` what it may call"
            .to_owned(),
    })
}

/// What the script calls and may not.
pub(crate) fn refused(grant: &Grant, called: &Grant) -> Grant {
    let has_tool = |wanted: &&Capability| grant.iter().any(|it| it.is_same_tool(wanted));
    called.iter().filter(|wanted| !has_tool(wanted)).cloned().collect()
}

/// Each tool as narrowly as the version before it had it.
fn inherited(called: &Grant, earlier: Option<&Grant>) -> Grant {
    let mut grant = Vec::new();
    for wanted in called.iter() {
        let same_tool = |it: &&Capability| it.is_same_tool(wanted);
        let known: Vec<_> = earlier.into_iter().flat_map(Grant::iter).filter(same_tool).collect();
        if known.is_empty() {
            grant.push(wanted.clone());
        }
        grant.extend(known.into_iter().cloned());
    }
    grant.into_iter().collect()
}

/// Whether somebody is there who can answer.
fn asks(context: &Context) -> bool {
    !context.output.is_json() && stdin().is_terminal()
}

fn ask(context: &Context, what: &str, grant: &Grant) -> Result<bool> {
    if grant.is_empty() {
        return Ok(true);
    }
    context.output.progress(format_args!("{what} {}. Allow that? [y/N]", list(grant)));
    let mut answer = String::new();
    stdin()
        .read_line(&mut answer)
        .map_err(|source| CommandError::System { attempt: "read your answer", source })?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn refused_by_person() -> CommandError {
    CommandError::Refused {
        code: "not_allowed",
        message: "nothing was deployed".to_owned(),
        hint: "say with `--allow` what it may call".to_owned(),
    }
}

fn list(grant: &Grant) -> String {
    grant.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(texts: &[&str]) -> Grant {
        texts.iter().map(|text| text.parse::<Capability>().unwrap()).collect()
    }

    #[test]
    fn a_new_version_keeps_what_the_old_one_was_narrowed_to() {
        let earlier = grant(&["Http.post:a.example.com", "Http.post:b.example.com", "Files.read"]);

        let inherited = inherited(&grant(&["Http.post", "Files.append"]), Some(&earlier));

        assert_eq!(
            inherited,
            grant(&["Http.post:a.example.com", "Http.post:b.example.com", "Files.append"])
        );
        assert_eq!(earlier.beyond(&inherited), grant(&["Files.append"]));
    }

    #[test]
    fn what_is_called_and_not_granted_is_named() {
        let called = grant(&["Http.post", "Files.append"]);

        assert_eq!(
            refused(&grant(&["Http.post:a.example.com"]), &called),
            grant(&["Files.append"])
        );
    }
}
