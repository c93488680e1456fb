//! The commands, one file for each or for a small family.

pub(crate) mod check;
pub(crate) mod connectors;
pub(crate) mod control;
pub(crate) mod demo;
pub(crate) mod deploy;
pub(crate) mod doctor;
mod dry_run;
mod engine;
pub(crate) mod event;
mod grant;
pub(crate) mod init;
pub(crate) mod limit;
pub(crate) mod list;
pub(crate) mod logs;
mod migrate;
pub(crate) mod moving;
mod notifications;
pub(crate) mod prune;
pub(crate) mod records;
pub(crate) mod resolve;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod show;
pub(crate) mod status;
mod types;
pub(crate) mod up;
mod workers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_api::service::Service;
use windlass_core::WorkspaceId;
use windlass_store::{Location, PostgresEnvironment, SharedStore};
use windlass_tools::mcp::Connectors;
use windlass_tools::secrets::Secrets;

use crate::cli::{Command, DEFAULT_WORKSPACE, Global};
use crate::config::{FILE_NAME, Settings};
use crate::exit::{CommandError, Ending, Result};
use crate::faults::Faults;
use crate::hint::CommandHint;
use crate::invocation;
use crate::output::Output;
use crate::telemetry::Log;

/// What every command is given.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// What the program goes by.
    pub(crate) settings: Settings,
    /// What no one may see.
    pub(crate) secrets: Arc<Secrets>,
    /// The servers that lend it tools.
    pub(crate) connectors: Connectors,
    /// Where it prints.
    pub(crate) output: Output,
    /// How it words commands that it advises.
    pub(crate) hint: CommandHint,
    /// What the command line says for all commands.
    pub(crate) global: Global,
    /// The current folder.
    pub(crate) folder: PathBuf,
    /// Who is at the command line.
    pub(crate) actor: String,
    /// Where it logs.
    pub(crate) log: Log,
    /// Where this process dies on purpose.
    pub(crate) faults: Option<Arc<Faults>>,
}

/// Carries a command out. What it started has ended afterwards.
pub(crate) async fn dispatch(context: Context, command: Command) -> Result<Ending> {
    let connectors = context.connectors.clone();
    let ending = Box::pin(carry_out(context, command)).await;
    connectors.stop().await;
    ending
}

async fn carry_out(context: Context, command: Command) -> Result<Ending> {
    match command {
        Command::Demo(args) => demo::run(&context, &args).await,
        Command::Init(args) => init::run(&context, &args).await,
        Command::Check(args) => check::run(&context, &args).await,
        Command::Types => types::run(&context).await,
        Command::Connectors(args) => connectors::run(&context, &args).await,
        Command::Deploy(args) => deploy::run(&context, &args).await,
        Command::Activate(args) => control::activate(&context, &args).await,
        Command::Pause(args) => control::pause(&context, &args).await,
        Command::Resume(args) => control::resume(&context, &args).await,
        Command::Archive(args) => control::archive(&context, &args).await,
        Command::Unarchive(args) => control::unarchive(&context, &args).await,
        Command::List(args) => list::run(&context, &args).await,
        Command::Run(args) => run::run(&context, &args).await,
        Command::Up(args) => up::run(&context, &args).await,
        Command::Workers => workers::run(&context).await,
        Command::Limit(args) => limit::run(&context, &args).await,
        Command::Route(args) => route::run(&context, &args).await,
        Command::Status(args) => status::run(&context, &args).await,
        Command::Events(args) => records::events(&context, &args).await,
        Command::Inputs(args) => records::inputs(&context, &args).await,
        Command::Outputs(args) => records::outputs(&context, &args).await,
        Command::Runs(args) => records::runs(&context, &args).await,
        Command::Show(args) => show::run(&context, &args).await,
        Command::Logs(args) => logs::run(&context, &args).await,
        Command::Notifications => notifications::run(&context).await,
        Command::Event(args) => event::run(&context, &args).await,
        Command::Resolve(args) => resolve::run(&context, &args).await,
        Command::Prune(args) => prune::run(&context, &args).await,
        Command::Move(args) => moving::run(&context, &args).await,
        Command::Migrate => migrate::run(&context).await,
        Command::Doctor => doctor::run(&context).await,
    }
}

impl Context {
    /// Opens the database and the workspace, which have to be there already. Only the default workspace always is.
    pub(crate) async fn open_existing(&self) -> Result<Service> {
        if let Some(file) = self.settings.database_file().filter(|file| !file.exists()) {
            return Err(CommandError::Refused {
                code: "no_database",
                message: format!("there is no database `{}` yet", file.display()),
                hint: format!(
                    "deploy a workflow first: `{}`; or name the database with `--database`",
                    self.hint.command("deploy FILE --name NAME --activate")
                ),
            });
        }
        let store = self.open().await?;
        let known = store.workspaces().await?;
        let name = self.global.workspace();
        if let Some(workspace) = known.iter().find(|known| known.name == *name) {
            return Ok(self.service(store, workspace.id));
        }
        if name == DEFAULT_WORKSPACE {
            return self.with_workspace(store, name).await;
        }
        let names: Vec<_> = known.iter().map(|known| format!("`{}`", known.name)).collect();
        Err(CommandError::Refused {
            code: "not_found",
            message: format!("there is no workspace `{name}`"),
            hint: if names.is_empty() {
                "the first `windlass deploy` in it makes it".to_owned()
            } else {
                format!("there is {}; the first `windlass deploy` makes another", names.join(", "))
            },
        })
    }

    /// Opens the database; one that is a file is made and brought up to date first.
    pub(crate) async fn open_or_create(&self) -> Result<Service> {
        if !self.settings.is_server() {
            windlass_store::migrate(self.location()).await?;
        }
        self.with_workspace(self.open().await?, self.global.workspace()).await
    }

    /// The same for the deployment whose configuration is `folder/windlass.toml`.
    pub(crate) fn within(&self, folder: &Path) -> Result<Self> {
        let config = folder.join(FILE_NAME);
        let global = Global { config: Some(config.clone()), ..self.global.clone() };
        let settings = Settings::load(&global, &self.folder)?;
        let secrets = Arc::new(Secrets::load(&settings.secrets, &settings.root));
        self.log.keep_out(&secrets);
        let connectors = invocation::connectors(&settings, &secrets);
        let hint = self.hint.with_config(&config);
        Ok(Self { settings, secrets, connectors, hint, global, ..self.clone() })
    }

    /// Where the database is; what its URL leaves out, the environment says as it does to PostgreSQL's own programs.
    pub(crate) fn location(&self) -> Location {
        #[expect(clippy::disallowed_methods, reason = "what `psql` reads of the environment too")]
        let environment = PostgresEnvironment::read(|name| std::env::var(name).ok());
        Location::from(&self.settings.database).with_environment(environment)
    }

    async fn open(&self) -> Result<SharedStore> {
        let policy = self.settings.policy.clone();
        let options = windlass_store::Options { policy, ..windlass_store::Options::default() };
        let mut store = windlass_store::open(self.location(), options).await?;
        if let Some(faults) = &self.faults {
            store = faults.store(store);
        }
        Ok(store)
    }

    /// Makes the workspace where it is missing.
    async fn with_workspace(&self, store: SharedStore, name: &str) -> Result<Service> {
        let workspace = store.ensure_workspace(name).await?;
        Ok(self.service(store, workspace))
    }

    fn service(&self, store: SharedStore, workspace: WorkspaceId) -> Service {
        Service { store, workspace, actor: self.actor.clone() }
    }
}
