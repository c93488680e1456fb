//! What a person can do about an error, with the commands of this command line.

use std::io;

use windlass_api::service::journal::JournalError;
use windlass_api::service::{RecordName, ServiceError};
use windlass_core::ApprovalRefused;
use windlass_core::graph::SteerRefused;
use windlass_scheduler::EngineError;
use windlass_store::StoreError;
use windlass_tools::mcp::ConnectorError;

use super::CommandError;
use crate::hint::{CommandHint, quoted};

/// What to do about an error.
pub(super) fn of(error: &CommandError, words: &CommandHint) -> Option<String> {
    match error {
        CommandError::Usage { hint, .. } => hint.clone(),
        CommandError::Refused { hint, .. } | CommandError::WaitsForPerson { hint, .. } => {
            Some(hint.clone())
        }
        CommandError::Config(error) => error.hint(),
        CommandError::Store(error) | CommandError::Engine(EngineError::Store(error)) => {
            of_store(error, words)
        }
        CommandError::Service(error) => of_service(error, words),
        CommandError::InvalidScript { file, .. } => {
            let check = words.command(&format!("check {}", quoted(file)));
            Some(format!("repair them, then run `{check}` again"))
        }
        CommandError::File { source, .. } => of_file(source),
        CommandError::Connector(error) => of_connector(error, words),
        CommandError::Bind(_) => {
            Some("name another one with `--listen`; port 0 takes a free one".to_owned())
        }
        CommandError::Engine(_)
        | CommandError::Registry(_)
        | CommandError::Tools(_)
        | CommandError::Serve(_)
        | CommandError::Print(_)
        | CommandError::System { .. } => None,
    }
}

/// What to do about an operation that cannot be done.
fn of_service(error: &ServiceError, words: &CommandHint) -> Option<String> {
    Some(match error {
        ServiceError::Store(error) | ServiceError::Engine(EngineError::Store(error)) => {
            return of_store(error, words);
        }
        ServiceError::Engine(_) | ServiceError::Random(_) => return None,
        ServiceError::Journal(error) => return of_journal(error, words),
        ServiceError::WrongKind { expected, .. } => of_wrong_kind(*expected, words),
        ServiceError::BadName { .. } => {
            "take up to 200 characters without `@`, and no name that begins with `wf_`".to_owned()
        }
        ServiceError::WrongResult { mutation, example, .. } => {
            let result = quoted(&example.to_string());
            let resolve = words.command(&format!("resolve {mutation} --happened {result}"));
            format!("give all of its answer, for example `{resolve}`")
        }
        ServiceError::NoVersionBefore { workflow, .. } => {
            let versions = words.command(&format!("versions {}", quoted(workflow)));
            format!("`{versions}` lists those that there are")
        }
        ServiceError::NeverRan { workflow } => {
            let run = words.command(&format!("run {}", quoted(workflow)));
            format!("`{run}` runs it once")
        }
        ServiceError::UnknownTool { nearest, .. } => {
            did_you_mean(nearest.as_ref(), &words.command("types"), "describes the tools")
        }
        ServiceError::UnknownWorkflow { nearest, .. } => {
            did_you_mean(nearest.as_ref(), &words.command("list"), "shows those that exist")
        }
        ServiceError::NoSuchVersion { known, .. } if !known.is_empty() => {
            format!("it has {}", known.join(", "))
        }
        ServiceError::NoSuchVersion { workflow, .. } | ServiceError::NoScript { workflow } => {
            let deploy = words.command(&format!("deploy FILE --name {}", quoted(workflow)));
            format!("deploy one first: `{deploy}`")
        }
        ServiceError::NotActive { workflow } => {
            let activate = words.command(&format!("activate {}", quoted(workflow)));
            format!("activate one first, with `{activate}`; a dry run takes the active version")
        }
        ServiceError::WaitsForPerson { workflow, .. } => {
            let status = words.command(&format!("status {}", quoted(workflow)));
            format!("`{status}` says what to do")
        }
        ServiceError::InvalidPlan { .. }
        | ServiceError::InvalidResult { .. }
        | ServiceError::NotAScript { .. }
        | ServiceError::NoActivePlan { .. }
        | ServiceError::OtherWorkstream { .. }
        | ServiceError::PlanGrantNotConfirmed { .. } => return of_plan(error, words),
        ServiceError::GrantNotConfirmed { grant, .. } => {
            let tools = grant.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            format!(
                "look at what it does with it, then deploy it with `--yes`, or say what it may call: `--allow {tools}`"
            )
        }
    })
}

/// What to do about an id of another kind of record.
fn of_wrong_kind(expected: RecordName, words: &CommandHint) -> String {
    let (prefix, command, verb) = match expected {
        RecordName::Output => ("mut_", "status", "names it"),
        RecordName::Event => ("evt_", "status", "names it"),
        RecordName::Run => ("run_", "runs NAME", "lists them"),
    };
    let command = words.command(command);
    format!("give an id that begins with `{prefix}`; `{command}` {verb}")
}

/// What to do about an operation on a plan that cannot be done.
fn of_plan(error: &ServiceError, words: &CommandHint) -> Option<String> {
    Some(if let ServiceError::InvalidPlan { .. } = error {
        format!("repair it, then look again with `{}`", words.command("plan check FILE"))
    } else if let ServiceError::InvalidResult { .. } = error {
        "write {\"status\": \"success\", \"output\": …}; the status may also be partial, blocked or failed, with a `reason`"
            .to_owned()
    } else if let ServiceError::NotAScript { workflow, .. } = error {
        let show = words.command(&format!("plan show {}", quoted(workflow)));
        format!("`{show}` shows a plan, and `{}` runs it", words.command("up"))
    } else if let ServiceError::NoActivePlan { workstream } = error {
        let create = words.command(&format!("plan create {} FILE", quoted(workstream)));
        let list = words.command("plan list");
        format!("`{list}` lists the plans that there are; `{create}` begins one")
    } else if let ServiceError::OtherWorkstream { asked_in, .. } = error {
        format!("answer it in `{asked_in}`")
    } else if let ServiceError::PlanGrantNotConfirmed { calls } = error {
        let tools = calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!(
            "look at what it does with it, then begin it with `--yes`, or say what it may call: `--allow {tools}`"
        )
    } else {
        return None;
    })
}

/// The nearest known name, or else what the command that lists them does.
fn did_you_mean(nearest: Option<&String>, command: &str, lists: &str) -> String {
    nearest.map_or_else(|| format!("`{command}` {lists}"), |name| format!("did you mean `{name}`?"))
}

/// What to do about an error of the store.
fn of_store(error: &StoreError, words: &CommandHint) -> Option<String> {
    let command = |text: &str| words.command(text);
    Some(if let StoreError::NotNow { hint, .. } = error {
        hint.clone()
    } else if let StoreError::NotRunning { workflow, action, .. } = error {
        format!("run `{}`", command(&format!("{action} {}", quoted(workflow))))
    } else if let StoreError::WaitsForPerson { workflow } = error {
        let status = command(&format!("status {}", quoted(workflow)));
        format!("`{status}` says why, and what to do")
    } else if let StoreError::InDoubt { mutation } = error {
        format!("settle it with `{}`", command(&format!("resolve {mutation}")))
    } else if let StoreError::Replaced { .. } = error {
        "put the file back, or a whole copy of it, while nothing runs; then start windlass again"
            .to_owned()
    } else if let StoreError::MigrationPending { .. } = error {
        format!("run `{}`", command("migrate"))
    } else if let StoreError::ActionRefused(refused) = error {
        refused.hint.to_owned()
    } else if let StoreError::Steer(refused) = error {
        of_steer(refused, words)
    } else if let StoreError::Answer(refused) = error {
        of_answer(refused, words)
    } else if let StoreError::AnswerInvalid(_) = error {
        let answer = command("approval answer ID --data '{…}'");
        format!("give the fields that its schema asks for: `{answer}`")
    } else if let StoreError::NotFound { what: "plan run", .. } = error {
        format!("`{}` lists the runs of plans", command("plan list"))
    } else if let StoreError::NotFound { what: "approval", .. } = error {
        format!("`{}` lists them", command("approval list --all"))
    } else if let StoreError::NotFound { what: "workflow", .. } = error {
        format!("`{}` shows those that exist", command("list"))
    } else if let StoreError::NotFound { .. } = error {
        format!("`{}`, `events`, `inputs` and `outputs` list what exists", command("runs"))
    } else {
        return None;
    })
}

/// What to do about something that a run of a plan does not allow.
fn of_steer(refused: &SteerRefused, words: &CommandHint) -> String {
    match refused {
        SteerRefused::Over => {
            format!("`{}` begins another plan", words.command("plan create WORKSTREAM FILE"))
        }
        SteerRefused::Human(_) => {
            format!("`{}` shows what is asked", words.command("approval list"))
        }
        SteerRefused::NotOwner { .. } => {
            "submit it as its owner or as the lead, with `--as agent:NAME`".to_owned()
        }
        SteerRefused::InDoubt(_) => {
            format!("`{}` says what is known of it", words.command("status WORKSTREAM"))
        }
        SteerRefused::RepeatsEffect(_) => {
            "look at what happened first, then restart it with `--repeat-effects`".to_owned()
        }
        SteerRefused::UnknownNode(_)
        | SteerRefused::NotAccepting { .. }
        | SteerRefused::NothingBegins(_)
        | SteerRefused::AtWork(_) => {
            format!("`{}` shows how far each node is", words.command("plan show WORKSTREAM"))
        }
    }
}

/// What to do about an answer that does not count.
fn of_answer(refused: &ApprovalRefused, words: &CommandHint) -> String {
    match refused {
        ApprovalRefused::NoPerson(_) => "let a person answer it".to_owned(),
        ApprovalRefused::OtherPerson(_) => {
            "let that person answer it; `--as user:NAME` says who answers".to_owned()
        }
        ApprovalRefused::Closed(_) | ApprovalRefused::Outdated => {
            format!("`{}` shows it as it stands", words.command("approval show ID"))
        }
        ApprovalRefused::YesOrNo(_) => {
            let [approve, reject] =
                ["approve", "reject"].map(|verb| words.command(&format!("approval {verb} ID")));
            format!("agree with `{approve}`, or refuse with `{reject}`")
        }
        ApprovalRefused::Empty(_) => {
            format!("answer with `{}`", words.command("approval answer ID TEXT"))
        }
    }
}

/// What to do about something that the journal of executions does not take.
fn of_journal(error: &JournalError, words: &CommandHint) -> Option<String> {
    Some(match error {
        JournalError::PlanNotFound { .. } => {
            format!("`{}` records one and prints its id", words.command("journal record FILE"))
        }
        JournalError::ExecutionNotFound { .. } => {
            format!("`{}` lists those that there are", words.command("journal history"))
        }
        JournalError::OutOfOrder { .. } => {
            "record that step first, or decide to stop the execution".to_owned()
        }
        JournalError::Over { execution, .. } => format!(
            "`{}` records what you do now",
            words.command(&format!("journal act {execution} --type other --description TEXT"))
        ),
        JournalError::StepOver { .. } => {
            format!("`{}` shows each step", words.command("journal show EXECUTION --steps"))
        }
        JournalError::NotLed { lead, .. } => format!("record as its lead: `--as {}`", quoted(lead)),
        JournalError::NotControlled { .. } => {
            let decide = words.command("journal decide EXECUTION stop --reason WHY");
            format!("`{decide}` records that an execution is stopped")
        }
        JournalError::PlanRefused { .. }
        | JournalError::StepNotFound { .. }
        | JournalError::Contradiction { .. }
        | JournalError::ResultTooLarge { .. }
        | JournalError::OutOfRange { .. } => return None,
    })
}

fn of_connector(error: &ConnectorError, words: &CommandHint) -> Option<String> {
    let command = words.command("connectors");
    match error {
        ConnectorError::Listing { .. } => {
            Some(format!("repair it and run `{command}`, or remove it from the configuration"))
        }
        ConnectorError::Unknown { .. } => Some(format!("`{command}` shows those that exist")),
        ConnectorError::Config { .. }
        | ConnectorError::Namespace { .. }
        | ConnectorError::Snapshot { .. } => None,
    }
}

fn of_file(error: &io::Error) -> Option<String> {
    let hint = if error.kind() == io::ErrorKind::NotFound {
        "check the path"
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        "check who may read and write it"
    } else if error.kind() == io::ErrorKind::StorageFull {
        "free some space, then try again"
    } else {
        return None;
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests {
    use windlass_core::{Id as _, MutationId, Timestamp};

    use super::*;
    use crate::hint::tests::hint_of;

    #[test]
    fn each_command_in_a_hint_means_the_same_deployment() {
        let words = hint_of(&["windlass", "--database", "postgres://me:secret@db/x", "status"]);
        let mutation = MutationId::mint(Timestamp::from_micros(0));
        let store = |error| CommandError::Store(error);
        let errors = [
            store(StoreError::MigrationPending { pending: 1, needed: "x".to_owned() }),
            store(StoreError::not_found("workflow", "x")),
            store(StoreError::not_found("run", "x")),
            store(StoreError::WaitsForPerson { workflow: "x".to_owned() }),
            store(StoreError::InDoubt { mutation }),
            CommandError::Service(ServiceError::NoScript { workflow: "x".to_owned() }),
            CommandError::Service(ServiceError::NotActive { workflow: "x".to_owned() }),
            CommandError::InvalidScript { file: "x.js".to_owned(), problems: Vec::new() },
        ];

        for error in errors {
            let hint = of(&error, &words).unwrap();
            assert!(hint.contains("`windlass --database postgres://me@db/x "), "{hint}");
        }
    }
}
