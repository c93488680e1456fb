//! The steps of a command: what they are called, how they ended and how long they took.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Steps that ran, in their order.
#[derive(Debug, Default)]
pub(crate) struct Steps(Vec<Step>);

#[derive(Debug)]
struct Step {
    name: &'static str,
    result: anyhow::Result<()>,
    elapsed: Duration,
}

impl Steps {
    /// Runs a step, also after another has failed: a developer wants to know everything that is wrong. Returns whether it succeeded.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        action: impl FnOnce() -> anyhow::Result<()>,
    ) -> bool {
        println!("\n── {name} ──");
        let start = now();
        let result = action();
        let step = Step { name, result, elapsed: start.elapsed() };
        if let Err(error) = &step.result {
            println!("{error:#}");
        }
        println!("{}", line(&step));
        let is_ok = step.result.is_ok();
        self.0.push(step);
        is_ok
    }

    /// Prints a line for each step, and fails where one has failed.
    pub(crate) fn summarize(&self) -> anyhow::Result<()> {
        println!("\n── summary ──");
        for step in &self.0 {
            println!("{}", line(step));
        }
        let elapsed: Duration = self.0.iter().map(|step| step.elapsed).sum();
        println!("{:<19} {}", "together", minutes(elapsed));
        let failed: Vec<_> =
            self.0.iter().filter(|step| step.result.is_err()).map(|step| step.name).collect();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("failed: {}", failed.join(", "))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells a developer how long a step took, nothing else"
)]
fn now() -> Instant {
    Instant::now()
}

fn line(step: &Step) -> String {
    let outcome = if step.result.is_ok() { "ok" } else { "FAILED" };
    format!("{:<12} {outcome:<6} {}", step.name, minutes(step.elapsed))
}

fn minutes(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{:>3} min {:02} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn ended(name: &'static str, result: anyhow::Result<()>, seconds: u64) -> Step {
        Step { name, result, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_failed_step_fails_the_whole_by_name() {
        let steps = Steps(vec![
            ended("tidy", Ok(()), 0),
            ended("clippy", Err(anyhow!("exit code 101")), 1),
            ended("tests", Ok(()), 2),
        ]);

        let error = steps.summarize().unwrap_err();

        assert_eq!(error.to_string(), "failed: clippy");
    }

    #[test]
    fn a_line_tells_minutes_and_seconds() {
        assert_eq!(line(&ended("tests", Ok(()), 605)), "tests        ok      10 min 05 s");
    }
}
