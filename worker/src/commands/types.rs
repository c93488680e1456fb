//! `types`: the TypeScript declarations of everything that a script can call.

use serde::Serialize;
use windlass_tools::typescript;

use super::engine::described_registry;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Types {
    typescript: String,
}

pub(crate) async fn run(context: &Context) -> Result<ExitStatus> {
    let typescript = typescript::declarations(&described_registry(context).await?);
    context.output.print(&Types { typescript })?;
    Ok(ExitStatus::Done)
}

impl Printable for Types {
    fn write(&self, page: &mut TextPage) {
        page.document(&self.typescript);
    }
}
