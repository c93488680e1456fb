//! `types`: the TypeScript declarations of everything that a script can call.

use serde::Serialize;
use windlass_tools::typescript;

use super::engine::described_registry;
use crate::context::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Serialize)]
struct Types {
    typescript: String,
}

pub(crate) async fn run(context: &Context) -> Result<Ending> {
    let typescript = typescript::declarations(&described_registry(context).await?);
    context.output.answer(&Types { typescript })?;
    Ok(Ending::Done)
}

impl Answer for Types {
    fn write(&self, page: &mut Page) {
        page.line(&self.typescript);
    }
}
