//! The arguments of commands about plans, about what they ask people, and about workspaces.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use windlass_core::{Actor, Capability};

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    pub(crate) command: PlanCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Find everything that is wrong with a draft, without beginning it
    Check(PlanFile),
    /// Begin a plan in a workstream where none is active
    Create(PlanCreate),
    /// Replace the active plan; what was done under the same contract is taken over
    Replace(PlanReplace),
    /// Show the active plan of a workstream, or its last one
    Show(PlanShow),
    /// List the runs of plans, newest first
    List(PlanList),
    /// Submit the result of a node
    Submit(PlanSubmit),
    /// List what an agent or a person has to do
    Inbox(PlanInbox),
    /// Let the active plan go on after its stops were repaired; what is finished stays
    Resume(PlanResume),
    /// Let a node be done anew
    Restart(PlanRestart),
    /// End the active plan
    Cancel(PlanCancel),
    /// Print the JSON Schema of a draft
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct PlanFile {
    /// The draft, a JSON file; `-` for stdin
    pub(crate) file: PathBuf,
}

/// What a plan may call.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// What the plan may call, for example Files.append,Http.post:api.example.com; a person has to let it start if it calls more
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) allow: Vec<Capability>,
    /// Allow what it calls without asking; needed where nobody can be asked, unless `--allow` is given
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanCreate {
    /// The workstream; its first plan makes it
    pub(crate) workstream: String,
    #[command(flatten)]
    pub(crate) draft: PlanFile,
    #[command(flatten)]
    pub(crate) begin: BeginArgs,
}

/// How a plan begins.
#[derive(Debug, Args)]
pub(crate) struct BeginArgs {
    /// How many nodes may be at work at once: 1 to 16; without it what the draft says
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<u32>,
    #[command(flatten)]
    pub(crate) grant: GrantArgs,
    /// Wait until it is over, or until an agent or a person has to act
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanReplace {
    /// The workstream
    pub(crate) workstream: String,
    #[command(flatten)]
    pub(crate) draft: PlanFile,
    /// Why it is replaced
    #[arg(long)]
    pub(crate) reason: String,
    /// Only if this run is the active one
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Take nothing over
    #[arg(long)]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) begin: BeginArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanShow {
    /// The workstream, or the id of a run
    #[arg(value_name = "WORKSTREAM")]
    pub(crate) name_or_run: String,
    /// Also what happened
    #[arg(long)]
    pub(crate) events: bool,
    /// Also what was made
    #[arg(long)]
    pub(crate) artifacts: bool,
    /// Also what people were asked
    #[arg(long)]
    pub(crate) approvals: bool,
    /// Also what was known after each change
    #[arg(long)]
    pub(crate) checkpoints: bool,
    /// Also what the checks of the draft and of results found
    #[arg(long)]
    pub(crate) issues: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanList {
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct PlanSubmit {
    /// The workstream
    pub(crate) workstream: String,
    /// The node
    pub(crate) node: String,
    /// The result, a JSON file; `-` for stdin: {"status": "success", "output": …, "artifacts": […]}
    #[arg(long, value_name = "FILE")]
    pub(crate) result: PathBuf,
    #[command(flatten)]
    pub(crate) who: ActorArgs,
}

/// Who acts.
#[derive(Debug, Args)]
pub(crate) struct ActorArgs {
    /// Who acts: `agent:NAME` or `user:NAME`; without it you
    #[arg(long = "as", value_name = "WHO", value_parser = agent_or_person)]
    pub(crate) actor: Option<Actor>,
}

/// An agent or a person. Nobody else acts at the command line.
fn agent_or_person(text: &str) -> Result<Actor, String> {
    match text.parse() {
        Ok(actor @ (Actor::Agent(_) | Actor::User(_))) => Ok(actor),
        Ok(Actor::Worker(_) | Actor::Windlass) | Err(_) => {
            Err("write `agent:NAME` or `user:NAME`".to_owned())
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct PlanInbox {
    /// `agent:NAME`, `user:NAME`, or the name alone
    pub(crate) owner: String,
}

#[derive(Debug, Args)]
pub(crate) struct PlanResume {
    /// The workstream
    pub(crate) workstream: String,
    /// End back-offs too
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanRestart {
    /// The workstream
    pub(crate) workstream: String,
    /// The node
    pub(crate) node: String,
    /// Reset everything after it too
    #[arg(long)]
    pub(crate) downstream: bool,
    /// Effects that have happened may happen again
    #[arg(long)]
    pub(crate) repeat_effects: bool,
    /// Give up what people edited
    #[arg(long)]
    pub(crate) discard_edits: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanCancel {
    /// The workstream
    pub(crate) workstream: String,
    /// Why
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalArgs {
    #[command(subcommand)]
    pub(crate) command: ApprovalCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalCommand {
    /// List what people are asked
    List(ApprovalList),
    /// Show a question, and exactly what it is about
    Show(ApprovalShow),
    /// Agree
    Approve(ApprovalApprove),
    /// Refuse, or ask for changes
    Reject(ApprovalReject),
    /// Answer with a text or with data
    Answer(ApprovalText),
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalList {
    /// List what was answered too
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalShow {
    /// Its id
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalApprove {
    /// Its id
    pub(crate) id: String,
    /// What you say about it
    #[arg(long)]
    pub(crate) comment: Option<String>,
    #[command(flatten)]
    pub(crate) who: ActorArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalReject {
    /// Its id
    pub(crate) id: String,
    /// What has to be done otherwise; may be given several times
    #[arg(long, value_name = "EDIT")]
    pub(crate) edits: Vec<String>,
    /// What you say about it
    #[arg(long)]
    pub(crate) comment: Option<String>,
    #[command(flatten)]
    pub(crate) who: ActorArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApprovalText {
    /// Its id
    pub(crate) id: String,
    /// Your answer
    #[arg(required_unless_present = "data")]
    pub(crate) text: Option<String>,
    /// Fields of the answer, a JSON object: what the output schema of the node asks for
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub(crate) data: Option<JsonObject>,
    #[command(flatten)]
    pub(crate) who: ActorArgs,
}

/// Fields by name.
pub(crate) type JsonObject = serde_json::Map<String, serde_json::Value>;

fn object(text: &str) -> Result<JsonObject, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))
}

#[derive(Debug, Args)]
pub(crate) struct WorkspaceArgs {
    #[command(subcommand)]
    pub(crate) command: WorkspaceCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Show what was decided for the workspace
    Show,
    /// Decide something for the workspace
    Set(WorkspaceSet),
}

#[derive(Debug, Args)]
pub(crate) struct WorkspaceSet {
    /// `planGrant`: the tools that plans of agents may call without a person being asked
    #[arg(value_parser = ["planGrant"])]
    pub(crate) key: String,
    /// The tools, for example Files.append,User.notify; an empty text for none
    #[arg(value_name = "TOOLS", value_parser = capabilities)]
    pub(crate) tools: ToolList,
}

/// Tools in one text, separated by commas.
#[derive(Debug, Clone)]
pub(crate) struct ToolList(pub(crate) Vec<Capability>);

fn capabilities(text: &str) -> Result<ToolList, String> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    let tools = words.map(str::parse).collect::<Result<_, _>>();
    tools.map(ToolList).map_err(|invalid: windlass_core::InvalidCapability| invalid.to_string())
}
