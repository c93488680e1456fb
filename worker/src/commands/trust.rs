//! `trust`: lets the programs start that the configuration names.

use std::path::PathBuf;

use serde::Serialize;

use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};
use crate::trust::{self, Program};

#[derive(Debug, Serialize)]
struct TrustOutput {
    file: Option<PathBuf>,
    programs: Vec<Program>,
}

pub(crate) fn run(context: &Context) -> Result<ExitStatus> {
    let programs = trust::trust(&context.settings)?;
    context.output.print(&TrustOutput { file: context.settings.file.clone(), programs })?;
    Ok(ExitStatus::Done)
}

impl Printable for TrustOutput {
    fn write(&self, page: &mut TextPage) {
        if self.programs.is_empty() {
            page.line("The configuration names no programs: there is nothing to trust.");
            return;
        }
        for program in &self.programs {
            page.line(format_args!("Trusted: {} ({})", program.command, program.connector));
        }
        page.line("They start as long as their command lines and files stay the same.");
    }
}
