//! Built-in tools as typed methods. The schemas of a tool are derived from its input and output types.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::{Age, Failure, LookupResult};
use windlass_scheduler::{
    Effect, MutationCall, Place, Subject, Tool, ToolCall, ToolError, ToolSpec,
};

/// The name, documentation and effect of a method.
#[derive(Debug, Clone, Copy)]
pub(super) struct MethodDescription {
    pub(super) namespace: &'static str,
    pub(super) method: &'static str,
    pub(super) docs: &'static str,
    pub(super) effect: Effect,
    pub(super) input_types: &'static [(&'static str, &'static str)],
}

/// One method of a tool. It implements [`read`](Self::read) or [`mutate`](Self::mutate), as its description says.
#[async_trait]
pub(super) trait Method: Send + Sync + Debug + 'static {
    /// The input from scripts. It must deny unknown properties.
    type Input: DeserializeOwned + JsonSchema + Send + Sync;
    /// The result for scripts.
    type Output: Serialize + JsonSchema + Send;

    fn description(&self) -> MethodDescription;

    /// Makes a call that reads. `call.input` is empty: it was moved into `input`.
    async fn read(&self, _input: Self::Input, _call: ToolCall) -> Result<Self::Output, Failure> {
        Err(Failure::internal("this tool does not read"))
    }

    /// Makes a call that may change something, and passes `call.point` right before its irreversible step. `call.call.input` is empty:
    /// it was moved into `input`.
    async fn mutate(
        &self,
        _input: Self::Input,
        _call: MutationCall,
    ) -> Result<Self::Output, ToolError> {
        Err(ToolError::not_sent(Failure::internal("this tool does not change anything")))
    }

    /// The subject of a call.
    fn subject(&self, _input: &Self::Input) -> Subject {
        Subject { place: self.description().namespace.to_owned(), scope: None }
    }

    /// The place in which a call has its effect, as this worker sees it now; none if that is the same for all workers.
    async fn place(&self, _input: &Self::Input) -> Result<Option<Place>, Failure> {
        Ok(None)
    }

    /// How long after the request a missing effect proves that it did not happen. `None` means that the effect cannot be looked up.
    fn absence_counts_after(&self, _input: &Self::Input) -> Option<Duration> {
        None
    }

    /// For how long the other side recognises the key of a call. `None` means that the look-up does not send the request again.
    fn keys_kept(&self, _input: &Self::Input) -> Option<Age> {
        None
    }

    /// Looks up the effect of a call: the result that the call would have had, or `None` if there is certainly no effect.
    async fn reconcile(
        &self,
        _input: Self::Input,
        _call: MutationCall,
    ) -> Result<Option<Self::Output>, Failure> {
        Err(Failure::internal("this tool cannot look its effects up"))
    }
}

/// A [`Method`] as a [`Tool`].
#[derive(Debug)]
pub(super) struct TypedTool<M> {
    method: M,
    effect: Effect,
    spec: ToolSpec,
}

impl<M: Method> TypedTool<M> {
    pub(super) fn new(method: M) -> Self {
        let description = method.description();
        let spec = ToolSpec {
            namespace: description.namespace.to_owned(),
            method: description.method.to_owned(),
            docs: description.docs.to_owned(),
            input: schema::<M::Input>(SchemaSettings::draft2020_12().for_deserialize()),
            output: schema::<M::Output>(SchemaSettings::draft2020_12().for_serialize()),
            input_types: description.input_types.to_vec(),
        };
        Self { method, effect: description.effect, spec }
    }

    fn parse(&self, input: Value) -> Result<M::Input, Failure> {
        serde_json::from_value(input).map_err(|err| {
            let MethodDescription { namespace, method, .. } = self.method.description();
            Failure::logic(format!("`{namespace}.{method}` cannot take this input: {err}"))
        })
    }

    /// The failure of a call that took too long.
    fn timed_out(&self, call: &ToolCall) -> Failure {
        let MethodDescription { namespace, method, .. } = self.method.description();
        let limit = call.time_limit.as_millis();
        Failure::network(format!("`{namespace}.{method}` took longer than {limit} ms"))
    }
}

#[async_trait]
impl<M: Method> Tool for TypedTool<M> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        self.effect
    }

    async fn read(&self, mut call: ToolCall) -> Result<Value, Failure> {
        let input = self.parse(call.input.take())?;
        let timeout = self.timed_out(&call);
        let output = tokio::time::timeout(call.time_limit, self.method.read(input, call))
            .await
            .unwrap_or(Err(timeout))?;
        to_json(&output)
    }

    async fn mutate(&self, mut call: MutationCall) -> Result<Value, ToolError> {
        let input = self.parse(call.call.input.take()).map_err(ToolError::not_sent)?;
        // It may still have its effect, if it has passed its commit point.
        let timeout = ToolError::maybe_sent(self.timed_out(&call.call));
        let output = tokio::time::timeout(call.call.time_limit, self.method.mutate(input, call))
            .await
            .unwrap_or(Err(timeout))?;
        // The call succeeded, although its result cannot be written as JSON.
        to_json(&output).map_err(|failure| ToolError { failure, sent: windlass_core::Sent::Yes })
    }

    fn subject(&self, input: &Value) -> Subject {
        match self.parse(input.clone()) {
            Ok(input) => self.method.subject(&input),
            Err(_) => Subject { place: self.spec.namespace.clone(), scope: None },
        }
    }

    async fn place(&self, input: &Value) -> Result<Option<Place>, Failure> {
        self.method.place(&self.parse(input.clone())?).await
    }

    fn can_look_up(&self, input: &Value) -> bool {
        let input = self.parse(input.clone());
        input.is_ok_and(|input| self.method.absence_counts_after(&input).is_some())
    }

    fn keys_kept(&self, input: &Value) -> Option<Age> {
        self.method.keys_kept(&self.parse(input.clone()).ok()?)
    }

    async fn reconcile(&self, mut call: MutationCall) -> LookupResult {
        let input = match self.parse(call.call.input.take()) {
            Ok(input) => input,
            Err(failure) => return LookupResult::Unknown(failure),
        };
        let counts_after = self.method.absence_counts_after(&input).unwrap_or_default();
        let (timeout, time_limit) = (self.timed_out(&call.call), call.call.time_limit);
        let found = tokio::time::timeout(time_limit, self.method.reconcile(input, call)).await;
        match found
            .unwrap_or(Err(timeout))
            .and_then(|output| output.as_ref().map(to_json).transpose())
        {
            Ok(Some(result)) => LookupResult::Applied(result),
            Ok(None) => LookupResult::Absent { counts_after },
            Err(failure) => LookupResult::Unknown(failure),
        }
    }
}

fn to_json(output: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(output)
        .map_err(|err| Failure::internal(format!("could not write an answer as JSON: {err}")))
}

/// The schema of `T` in one piece, without references.
fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings.with(|it| {
        it.meta_schema = None;
        it.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.to_value()
}

/// Runs blocking work, such as file access, on a thread for that purpose.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|err| {
        Failure::internal(format!("a tool stopped in the middle of its work: {err}"))
    })
}
