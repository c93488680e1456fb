//! `completions`: the script that lets a shell complete commands and options.

use clap::CommandFactory as _;
use serde::Serialize;

use crate::cli::{Cli, CompletionsArgs};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Completions {
    script: String,
}

pub(crate) fn run(context: &Context, args: &CompletionsArgs) -> Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "windlass", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    context.output.print(&Completions { script })?;
    Ok(ExitStatus::Done)
}

impl Printable for Completions {
    fn write(&self, page: &mut TextPage) {
        page.document(&self.script);
    }
}
