//! Whether a script can work, found out before it does.

use windlass_core::{Manifest, Problem, validate};

use crate::api::Script;
use crate::execution::Work;
use crate::fault::{End, Fault};
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Evaluates the file without calling anything in it, and checks what it declares. A cron schedule without a time
    /// zone of its own is read in `default_timezone`.
    ///
    /// # Errors
    /// Every problem there is, in the order of the file.
    ///
    /// # Cancel safety
    /// Dropping the future terminates the script; nothing is left behind.
    pub async fn check(
        &self,
        script: Script,
        default_timezone: &str,
    ) -> Result<Manifest, Vec<Problem>> {
        match self.run(script, Work::Describe).await.end {
            Some(End::Returned(Some(description))) => validate(&description, default_timezone),
            Some(End::Returned(None)) => Err(vec![no_workflow()]),
            Some(End::Failed(fault)) => Err(vec![fault.into()]),
            Some(End::Mutation(_)) | None => {
                Err(vec![Problem::new("cancelled", "the check was cancelled")])
            }
        }
    }
}

fn no_workflow() -> Problem {
    Problem::new("no_workflow", "the script declares no `workflow`")
        .hint("write `const workflow = { topics: {}, producers: {}, consumers: {} };`")
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let at = fault.failure.at;
        let problem = Self::new(fault.code, fault.failure.message);
        Self {
            line: at.as_ref().map(|at| at.line),
            column: at.as_ref().map(|at| at.column),
            ..problem
        }
    }
}
