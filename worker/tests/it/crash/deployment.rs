//! A folder with a deployed workflow, and the binary to run it.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use windlass_store::{
    EventFilter, Notification, NotificationKind, Options, Page, Result, SharedStore, Workflow, open,
};
use windlass_store_conformance::PostgresSchema;

use crate::crash::counting_server::CountingServer;

/// Which database a deployment uses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// A folder, a database, a deployed workflow.
pub(crate) struct Deployment {
    folder: TempDir,
    workflow: &'static str,
    /// Dropped with the deployment.
    schema: Option<PostgresSchema>,
}

const ONE_REQUEST: &str = r#"
const workflow = {
  topics: { orders: {} },
  producers: {
    poll: {
      publishes: ["orders"], schedule: { interval: "1d" },
      handler: async () => {
        const inputId = await Topics.registerInput({ source: "System", type: "random", id: "1", title: "order 1" });
        await Topics.publish({ topic: "orders", event: { messageId: "1", payload: {}, inputId } });
      },
    },
  },
  consumers: {
    send: {
      subscribe: ["orders"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "orders", limit: 1 });
        return { reservations: [{ topic: "orders", ids: events.map((event) => event.messageId) }] };
      },
      mutate: async () => { await Http.post({ url: "http://$ADDRESS/orders", body: { order: 1 } }); },
      next: async (prepared, result) => ({ status: result.status }),
    },
  },
};
"#;

/// A process that works until it is dropped, and then dies as by `kill -9`.
pub(crate) struct Worker(Child);

impl Worker {
    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits until it ends by itself; its exit code.
    pub(crate) fn end(mut self) -> i32 {
        self.0.wait().unwrap().code().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Deployment {
    /// The receipts example with some of its mails, deployed; none where the database is not to be had.
    pub(crate) fn receipts(database: Database, mails: &[&str]) -> Option<Self> {
        let deployment = Self::empty(database, "receipts")?;
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/receipts");
        deployment.copy_file(&example.join("workflow.js"), "workflow.js");
        deployment.copy_file(&example.join("windlass.toml"), "windlass.toml");
        std::fs::create_dir(deployment.path("inbox")).unwrap();
        std::fs::create_dir(deployment.path("out")).unwrap();
        for entry in std::fs::read_dir(example.join("inbox")).unwrap() {
            let mail = entry.unwrap().path();
            let name = mail.file_name().unwrap().to_str().unwrap().to_owned();
            if mails.iter().any(|wanted| name.starts_with(wanted)) {
                deployment.copy_file(&mail, &format!("inbox/{name}"));
            }
        }
        deployment.deploy();
        Some(deployment)
    }

    /// A workflow that makes one request of `counter`, deployed.
    pub(crate) fn requests(database: Database, counter: &CountingServer) -> Option<Self> {
        let deployment = Self::empty(database, "orders")?;
        let address = counter.address().to_string();
        std::fs::write(deployment.path("workflow.js"), ONE_REQUEST.replace("$ADDRESS", &address))
            .unwrap();
        std::fs::write(
            deployment.path("windlass.toml"),
            format!("[tools.http]\nallow = [\"{address}\"]\n"),
        )
        .unwrap();
        deployment.deploy();
        Some(deployment)
    }

    /// A folder without a workflow.
    pub(crate) fn empty(database: Database, workflow: &'static str) -> Option<Self> {
        let schema = match database {
            Database::Sqlite => None,
            Database::Postgres => {
                Some(Runtime::new().unwrap().block_on(PostgresSchema::migrated()).unwrap()?)
            }
        };
        Some(Self { folder: tempfile::tempdir().unwrap(), workflow, schema })
    }

    /// The same folder and the same database once more, as they are now. No process may be at work there.
    pub(crate) fn copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(self.folder.path(), folder.path());
        let copy = |schema: &PostgresSchema| Runtime::new().unwrap().block_on(schema.copy());
        Self { folder, workflow: self.workflow, schema: self.schema.as_ref().map(copy) }
    }

    /// Deploys the workflow that stands in the folder.
    pub(crate) fn deploy(&self) {
        self.must(&["deploy", "workflow.js", "--name", self.workflow, "--activate", "--yes"]);
    }

    /// A worker for all workflows.
    pub(crate) fn up(&self) -> Worker {
        let log = File::options().create(true).append(true).open(self.path("up.log")).unwrap();
        Worker(self.command(&["up"]).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// A call of the program that goes on by itself.
    pub(crate) fn start(&self, words: &[&str]) -> Worker {
        Worker(self.command(words).stdout(Stdio::null()).spawn().unwrap())
    }

    fn database_url(&self) -> String {
        match &self.schema {
            Some(schema) => schema.url(),
            None => format!("sqlite:{}", self.path(".windlass/windlass.db").display()),
        }
    }

    pub(crate) fn append(&self, path: &str, text: &str) {
        let before = std::fs::read_to_string(self.path(path)).unwrap();
        self.write(path, &(before + text));
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
    }

    /// Runs the workflow undisturbed; returns the points it passed.
    pub(crate) fn run_traced(&self) -> Vec<String> {
        self.traced(&["run", self.workflow])
    }

    /// Calls the program undisturbed; returns the points it passed. Those of calls before are not among them.
    pub(crate) fn traced(&self, words: &[&str]) -> Vec<String> {
        let trace = tempfile::NamedTempFile::new().unwrap();
        let run = self.command(words).env("WINDLASS_FAULT_TRACE", trace.path()).output().unwrap();
        assert!(matches!(run.status.code(), Some(0 | 3)), "{words:?}: {run:#?}");
        let points = std::fs::read_to_string(trace.path()).unwrap();
        points.lines().map(str::to_owned).collect()
    }

    /// Runs the workflow until it dies at that point; `false` where it came to its end before: how often a process looks for work
    /// depends on how busy the machine is.
    pub(crate) fn run_killed_at(&self, point: usize) -> bool {
        self.killed_at(&["run", self.workflow], point)
    }

    /// The same for any call of the program.
    pub(crate) fn killed_at(&self, words: &[&str], point: usize) -> bool {
        let run =
            self.command(words).env("WINDLASS_FAULT_KILL", point.to_string()).output().unwrap();
        let is_killed = run.status.signal() == Some(9);
        let has_ended = matches!(run.status.code(), Some(0 | 3));
        assert!(is_killed || has_ended, "not killed at point {point} of {words:?}: {run:#?}");
        is_killed
    }

    /// Runs the workflow until it has nothing to do, or waits for a person.
    pub(crate) fn run_to_rest(&self) {
        for _ in 0..4 {
            let run = self.run(&["run", self.workflow, "--json"]);
            match run.status.code() {
                Some(0 | 3) => {}
                _ => panic!("{run:#?}"),
            }
            let waits_for_person = run.status.code() == Some(3);
            let is_at_rest = self
                .statuses()
                .iter()
                .all(|(_, status)| status == "consumed" || status == "skipped");
            if waits_for_person || is_at_rest {
                return;
            }
        }
        panic!("does not come to rest: {:?}", self.statuses());
    }

    /// Message id and status of every event, in order.
    pub(crate) fn statuses(&self) -> Vec<(String, String)> {
        let events = self.read(async |store, workflow| {
            let filter = EventFilter {
                workspace: workflow.workspace_id,
                workflow: workflow.id,
                topic: None,
                status: None,
                message_ids: None,
                page: Page::first(u32::MAX),
            };
            store.all_events(filter).await
        });
        let mut statuses: Vec<_> = events
            .iter()
            .map(|event| {
                (format!("{} {}", event.topic, event.message_id), event.status.to_string())
            })
            .collect();
        statuses.sort();
        statuses
    }

    /// The mutations nobody has settled.
    pub(crate) fn in_doubt(&self) -> Vec<String> {
        let mutations = self.read(async |store, workflow| {
            store.all_mutations(workflow.workspace_id, workflow.id).await
        });
        let uncertain = mutations.iter().filter(|mutation| mutation.status.is_uncertain());
        uncertain.map(|mutation| mutation.id.to_string()).collect()
    }

    pub(crate) fn resolve(&self, mutation: &str, verdict: &str) {
        self.must(&["resolve", mutation, verdict]);
    }

    pub(crate) fn make_folder(&self, path: &str) {
        std::fs::create_dir(self.path(path)).unwrap();
    }

    /// The names and texts of the files in a folder.
    pub(crate) fn files(&self, folder: &str) -> Vec<(String, String)> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut files: Vec<_> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let text = std::fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        files.sort();
        files
    }

    /// How many messages its scripts have sent to people.
    pub(crate) fn n_messages(&self) -> usize {
        let notifications =
            self.read(async |store, workflow| store.all_notifications(workflow.workspace_id).await);
        let is_message = |it: &&Notification| it.kind == NotificationKind::ScriptMessage;
        notifications.iter().filter(is_message).count()
    }

    /// The lines of a file.
    pub(crate) fn lines(&self, path: &str) -> Vec<String> {
        std::fs::read_to_string(self.path(path))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Makes the database of a folder in which nothing was called yet.
    pub(crate) fn make_database(&self) {
        self.make_folder(".windlass");
        Runtime::new().unwrap().block_on(windlass_store::migrate(&self.database_url())).unwrap();
    }

    /// The database, opened by this process.
    pub(crate) async fn open(&self) -> SharedStore {
        open(&self.database_url(), Options::default()).await.unwrap()
    }

    /// Reads from the database what the workflow left there. Without a process, of which each point would need another three.
    pub(crate) fn read<T>(
        &self,
        read: impl AsyncFnOnce(&SharedStore, &Workflow) -> Result<T>,
    ) -> T {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let store = self.open().await;
            let workflows = workflows(&store).await;
            let [workflow] = &workflows[..] else { panic!("not one workflow: {workflows:?}") };
            read(&store, workflow).await.unwrap()
        })
    }

    pub(crate) fn must(&self, words: &[&str]) -> Output {
        let output = self.run(words);
        assert!(output.status.success(), "{words:?}: {output:#?}");
        output
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(words).current_dir(self.folder.path());
        if let Some(schema) = &self.schema {
            command.args(["--database", &schema.url()]);
        }
        command
    }

    fn copy_file(&self, from: &Path, to: &str) {
        std::fs::copy(from, self.path(to)).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

/// All workflows of a deployment.
pub(crate) async fn workflows(store: &SharedStore) -> Vec<Workflow> {
    let workspace = store.ensure_workspace("default").await.unwrap();
    store.all_workflows(workspace).await.unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}
