//! The load: many workflows, each with a producer that makes events in batches and a consumer that makes one request for each.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::database::{Database, USER};
use crate::postgres::Postgres;

/// The template database; each scenario runs on a copy of it.
const TEMPLATE: &str = "chaos_template";

/// How many workflows are deployed at the same time.
const CONCURRENT_DEPLOYS: usize = 4;

/// Limits that never stop a workflow: with so many faults the limits of a deployment would, and nobody is here to resume it.
const UNLIMITED: &str = "
[limits.transient]
base_ms = 50
cap_ms = 500
tries = 1000000
[limits.lookup]
attempts = 1000000
base_ms = 100
cap_ms = 1000
timeout_ms = 2000
[limits.effects]
mutations_per_hour = 0
doubts_per_hour = 0
[limits.events]
park_after = 0
";

/// The consumer's state counts the events that were consumed.
const SCRIPT: &str = r#"
const workflow = {
  topics: { orders: {} },
  producers: {
    order: {
      publishes: ["orders"], schedule: { interval: "$INTERVALs" },
      handler: async (state) => {
        const made = state?.made ?? 0;
        const { body: wanted } = await Http.get({ url: `http://$ADDRESS/more/$NAME/${made}` });
        if (wanted <= made) return;
        const inputId = await Topics.registerInput({
          source: "System", type: "random", id: `${made}`, title: `${made} to ${wanted}`,
        });
        for (let n = made; n < wanted; n += 1) {
          await Topics.publish({ topic: "orders", event: { messageId: `${n}`, payload: {}, inputId } });
        }
        return { made: wanted };
      },
    },
  },
  consumers: {
    send: {
      subscribe: ["orders"],
      prepare: async (state) => {
        const [event] = await Topics.peek({ topic: "orders", limit: 1 });
        if (!event) return { reservations: [] };
        const data = { order: event.messageId, sent: state?.sent ?? 0 };
        return { reservations: [{ topic: "orders", ids: [event.messageId] }], data };
      },
      mutate: async ({ data }) => {
        await Http.post({ url: `http://$ADDRESS/$ENDPOINT/$NAME/${data.order}`, body: { order: data.order } });
      },
      next: async ({ data }) => (data ? { sent: data.sent + 1 } : undefined),
    },
  },
};
"#;

/// The workflows and how they are run.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) program: PathBuf,
    pub(crate) n_workflows: usize,
    /// How many runs a worker has at a time.
    pub(crate) slots: usize,
    /// How long a run belongs to its worker.
    pub(crate) lease: Duration,
    /// The service that they call.
    pub(crate) service: SocketAddr,
}

impl Load {
    /// The text of `windlass.toml`.
    pub(crate) fn config(&self) -> String {
        let Self { lease, service, slots, .. } = self;
        // A frozen worker may send its request this late.
        let absence_s = (*lease * 3).as_secs();
        format!(
            "{UNLIMITED}
[worker]
slots = {slots}
[limits.lease]
duration_ms = {lease_ms}
[tools.http]
allow = [\"{service}\"]
[[tools.http.endpoints]]
url = \"http://{service}/keyed\"
idempotent = true
[[tools.http.endpoints]]
url = \"http://{service}/asked\"
absence_after_s = {absence_s}
look_up = {{ url = \"http://{service}/asked?key={{key}}\" }}
",
            lease_ms = lease.as_millis()
        )
    }

    /// Deploys all workflows to the template database.
    pub(crate) fn deploy(&self, postgres: &Postgres, folder: &Path) -> anyhow::Result<()> {
        let server = Database::new(postgres, "postgres");
        server.ask(&format!("CREATE ROLE {USER} LOGIN"))?;
        server.ask(&format!("CREATE DATABASE {TEMPLATE} OWNER {USER}"))?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join("windlass.toml"), self.config())?;
        let url = postgres.url_of(USER, TEMPLATE);
        self.finish([self.windlass(folder, &url).arg("migrate").spawn()?])?;

        let numbers: Vec<usize> = (0..self.n_workflows).collect();
        for numbers in numbers.chunks(CONCURRENT_DEPLOYS) {
            let deployed: anyhow::Result<Vec<Child>> =
                numbers.iter().map(|number| self.deploy_one(*number, folder, &url)).collect();
            self.finish(deployed?)?;
        }
        Ok(())
    }

    /// Creates the database of a scenario, in that tablespace where one is named.
    pub(crate) fn copy(
        &self,
        postgres: &Postgres,
        name: &str,
        tablespace: Option<&str>,
    ) -> anyhow::Result<Database> {
        let server = Database::new(postgres, "postgres");
        let place = tablespace.map(|name| format!(" TABLESPACE {name}")).unwrap_or_default();
        server.ask(&format!("CREATE DATABASE {name} OWNER {USER} TEMPLATE {TEMPLATE}{place}"))?;
        Ok(Database::new(postgres, name))
    }

    fn deploy_one(&self, number: usize, folder: &Path, url: &str) -> anyhow::Result<Child> {
        let name = format!("w{number}");
        let file = format!("{name}.js");
        // About twenty producers poll in a second, however many there are.
        let interval = (self.n_workflows / 20).max(1).to_string();
        let endpoint = if number.is_multiple_of(2) { "keyed" } else { "asked" };
        let script = SCRIPT
            .replace("$ADDRESS", &self.service.to_string())
            .replace("$INTERVAL", &interval)
            .replace("$NAME", &name)
            .replace("$ENDPOINT", endpoint);
        std::fs::write(folder.join(&file), script)?;
        let mut command = self.windlass(folder, url);
        command.args(["deploy", &file, "--name", &name, "--activate", "--yes"]);
        command.spawn().context("could not start `windlass deploy`")
    }

    fn windlass(&self, folder: &Path, url: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(folder).env("WINDLASS_DATABASE", url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn finish(&self, processes: impl IntoIterator<Item = Child>) -> anyhow::Result<()> {
        for process in processes {
            let output = process.wait_with_output()?;
            let stderr = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "`{}` failed: {stderr}", self.program.display());
        }
        Ok(())
    }
}
