//! A folder with a configuration, and the tools that it gives.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tempfile::TempDir;
use windlass_core::{
    Capability, Failure, Grant, Id as _, LookupResult, MutationId, Operation, RunId, Sent,
    Timestamp, WorkflowId, WorkspaceId,
};
use windlass_scheduler::{
    CommitPoint, CommitWatch, MutationCall, MutationKey, Registry, Target, Tool, ToolCall,
    ToolError,
};
use windlass_tools::secrets::{Secrets, SecretsConfig};
use windlass_tools::{Notification, Notifier, ToolsConfig, builtin, ensure_roots};

/// The result of looking up an effect that is not there, from a tool whose effects are visible at once.
pub(crate) const ABSENT: LookupResult = LookupResult::Absent { counts_after: Duration::ZERO };

/// What `Idempotency-Key` is in these tests.
pub(crate) const KEY: &str = "key-of-this-mutation";

#[derive(Debug)]
pub(crate) struct World {
    dir: TempDir,
    pub(crate) notifications: Arc<Notifications>,
    pub(crate) registry: Registry,
    /// The ledger entry of every mutation.
    pub(crate) mutation: MutationId,
    time_limit: Duration,
    grant: Arc<Grant>,
}

impl World {
    /// Folders `inbox` and `out`.
    pub(crate) fn new() -> Self {
        Self::with(&json!({"files": {"roots": ["inbox", "out"]}}))
    }

    pub(crate) fn with(config: &Value) -> Self {
        Self::with_secrets(config, &[])
    }

    /// Folders `inbox` and `out`, and files that no script may use.
    pub(crate) fn with_protected(protected: &[&str]) -> Self {
        Self::build(&json!({"files": {"roots": ["inbox", "out"]}}), protected, &[])
    }

    /// The same with secrets in files of their names; one without a value is missing.
    pub(crate) fn with_secrets(config: &Value, secrets: &[(&str, Option<&str>)]) -> Self {
        Self::build(config, &[], secrets)
    }

    fn build(config: &Value, protected: &[&str], secrets: &[(&str, Option<&str>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, value) in secrets {
            let Some(value) = value else { continue };
            std::fs::write(dir.path().join(name), value).unwrap();
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(dir.path().join(name), mode).unwrap();
        }
        let origins: serde_json::Map<_, _> =
            secrets.iter().map(|(name, _)| ((*name).to_owned(), json!({"file": name}))).collect();
        let origins: SecretsConfig = serde_json::from_value(origins.into()).unwrap();
        let secrets = Arc::new(Secrets::load(&origins, dir.path(), environment));
        let mut config: ToolsConfig = serde_json::from_value(config.clone()).unwrap();
        config.files.protected = protected.iter().map(|path| dir.path().join(path)).collect();
        ensure_roots(&config.files.roots, dir.path()).unwrap();
        let notifications = Arc::new(Notifications::default());
        let tools =
            builtin(&config, &secrets, dir.path(), Arc::<Notifications>::clone(&notifications))
                .unwrap();
        let tools = tools.into_iter().map(|tool| secrets.redact_tool(tool)).collect();
        let registry = Registry::new(tools).unwrap();
        let methods = ["Http.get", "Http.head"].map(|name| name.parse::<Capability>().unwrap());
        let everything: Grant = methods.into_iter().collect();
        Self {
            dir,
            notifications,
            registry,
            mutation: MutationId::mint(Timestamp::from_micros(0)),
            time_limit: Duration::from_secs(20),
            grant: Arc::new(everything),
        }
    }

    /// With a script that was granted only this.
    pub(crate) fn with_grant(mut self, grant: &str) -> Self {
        self.grant = Arc::new([grant.parse::<Capability>().unwrap()].into_iter().collect());
        self
    }

    pub(crate) const fn with_time_limit(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }

    /// Where a script's path is on the disk.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    /// Calls a tool as the engine does: input checked, call made, answer checked.
    pub(crate) async fn call(&self, name: &str, mut input: Value) -> Result<Value, ToolError> {
        let callable = self.callable(name);
        callable.validate_input(&mut input).map_err(ToolError::not_sent)?;
        let operation = callable.operation(&input);
        let tool = self.tool(name);
        let answer = if operation == Operation::Mutation {
            let (_watch, call) = self.mutation_call(tool.as_ref(), input, || true).await;
            tool.mutate(call).await?
        } else {
            tool.read(self.tool_call(input)).await.map_err(ToolError::not_sent)?
        };
        callable.check_output(&answer).unwrap();
        Ok(answer)
    }

    pub(crate) async fn ok(&self, name: &str, input: Value) -> Value {
        self.call(name, input).await.unwrap()
    }

    /// The failure of a call that did nothing.
    pub(crate) async fn refusal(&self, name: &str, input: Value) -> Failure {
        let error = self.call(name, input).await.unwrap_err();
        assert_eq!(error.sent, Sent::No, "{error}");
        error.failure
    }

    pub(crate) fn can_reconcile(&self, name: &str, input: &Value) -> bool {
        self.tool(name).can_look_up(input)
    }

    pub(crate) async fn reconcile(&self, name: &str, input: Value) -> LookupResult {
        let found = self.reconcile_as_read(name, input).await;
        if let LookupResult::Applied(result) = &found {
            self.callable(name).check_output(result).unwrap();
        }
        found
    }

    /// Where the result is the answer of another tool.
    pub(crate) async fn reconcile_as_read(&self, name: &str, input: Value) -> LookupResult {
        self.reconcile_if(name, input, || true).await
    }

    /// The same by a worker that may send a request as long as `may_commit` says so.
    pub(crate) async fn reconcile_if(
        &self,
        name: &str,
        input: Value,
        may_commit: impl Fn() -> bool + Send + Sync + 'static,
    ) -> LookupResult {
        let tool = self.tool(name);
        let (_watch, call) = self.mutation_call(tool.as_ref(), input, may_commit).await;
        tool.reconcile(call).await
    }

    pub(crate) fn tool(&self, name: &str) -> Arc<dyn Tool> {
        let Target::Tool(tool) = self.callable(name).target() else { panic!("{name} is no tool") };
        Arc::clone(tool)
    }

    fn callable(&self, name: &str) -> &windlass_scheduler::Callable {
        let (namespace, method) = name.split_once('.').unwrap();
        self.registry.find(namespace, method).unwrap()
    }

    /// A call that may pass its commit point as long as `may_commit` says so and the watch is kept.
    pub(crate) async fn mutation_call(
        &self,
        tool: &dyn Tool,
        input: Value,
        may_commit: impl Fn() -> bool + Send + Sync + 'static,
    ) -> (CommitWatch, MutationCall) {
        let place = tool.place(&input).await.ok().flatten().map(|place| place.identity);
        let call = self.tool_call(input);
        let key = MutationKey { id: self.mutation, idempotency_key: KEY.to_owned() };
        let (watch, point) = CommitPoint::new(may_commit);
        (watch, MutationCall { call, key, place, point })
    }

    fn tool_call(&self, input: Value) -> ToolCall {
        let now = Timestamp::from_micros(0);
        ToolCall {
            input,
            workspace: WorkspaceId::mint(now),
            workflow: WorkflowId::mint(now),
            workflow_name: "receipts".to_owned(),
            run: RunId::mint(now),
            time_limit: self.time_limit,
            grant: Arc::clone(&self.grant),
        }
    }
}

/// The variables of this process.
pub(crate) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The paths of a list that `Files.list` answered.
pub(crate) fn paths(files: &Value) -> Vec<&str> {
    files.as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect()
}

/// A link at `link` to `target`.
pub(crate) fn link(target: &Path, link: &Path) {
    std::os::unix::fs::symlink(target, link).unwrap();
}

/// A notifier that remembers, and that can be told to lose its answer.
#[derive(Debug, Default)]
pub(crate) struct Notifications {
    pub(crate) kept: Mutex<Vec<Notification>>,
    pub(crate) loses_answers: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl Notifier for Notifications {
    async fn notify(&self, notification: Notification) -> Result<(), Failure> {
        self.kept.lock().unwrap().push(notification);
        if self.loses_answers.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(Failure::network("the database did not answer"));
        }
        Ok(())
    }

    async fn was_notified(
        &self,
        _workspace: WorkspaceId,
        mutation: MutationId,
    ) -> Result<bool, Failure> {
        Ok(self.kept.lock().unwrap().iter().any(|it| it.mutation == mutation))
    }
}
