//! What every command is given, and how it opens the database.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass_api::service::Service;
use windlass_core::WorkspaceId;
use windlass_store::{Location, PostgresEnvironment, SharedStore};
use windlass_tools::mcp::{ConnectorOptions, Connectors};
use windlass_tools::secrets::Secrets;

use crate::cli::{DEFAULT_WORKSPACE, Global};
use crate::config::{FILE_NAME, Settings};
use crate::exit::{CommandError, Result};
use crate::faults::Faults;
use crate::hint::CommandHint;
use crate::output::Output;
use crate::private_state::close_to_others;
use crate::telemetry::Log;

/// What every command is given.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The configuration.
    pub(crate) settings: Settings,
    /// The secrets, which are shown to nobody.
    pub(crate) secrets: Arc<Secrets>,
    /// The servers that offer tools.
    pub(crate) connectors: Connectors,
    /// Where it prints.
    pub(crate) output: Output,
    /// How it words commands that it advises.
    pub(crate) hint: CommandHint,
    /// The options that every command has.
    pub(crate) global: Global,
    /// The current folder.
    pub(crate) folder: PathBuf,
    /// Who is at the command line, for the journal.
    pub(crate) actor: String,
    /// Where it logs.
    pub(crate) log: Log,
    /// Where this process kills itself in a crash test.
    pub(crate) faults: Option<Arc<Faults>>,
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
        let deploy = self.hint.command("deploy");
        let names: Vec<_> = known.iter().map(|known| format!("`{}`", known.name)).collect();
        Err(CommandError::Refused {
            code: "not_found",
            message: format!("there is no workspace `{name}`"),
            hint: if names.is_empty() {
                format!("the first `{deploy}` makes it")
            } else {
                format!("there is {}; the first `{deploy}` makes another", names.join(", "))
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
        let settings = Settings::load(global.settings_source(), &self.folder)?;
        close_to_others(&settings);
        let secrets = Arc::new(Secrets::load(&settings.secrets, &settings.root, environment));
        self.log.redact(&secrets);
        let connectors = connectors(&settings, &secrets, &self.actor);
        let hint = self.hint.with_config(&config);
        Ok(Self { settings, secrets, connectors, hint, global, ..self.clone() })
    }

    /// Where the database is. What its URL leaves out, the environment says, as it does to PostgreSQL's own programs.
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

/// A variable of this process's environment.
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The connectors of a configuration.
pub(crate) fn connectors(settings: &Settings, secrets: &Arc<Secrets>, actor: &str) -> Connectors {
    let options = ConnectorOptions {
        root: settings.root.clone(),
        snapshots: settings.connectors_folder(),
        actor: actor.to_owned(),
        environment,
    };
    Connectors::new(&settings.mcp, secrets, options)
}
