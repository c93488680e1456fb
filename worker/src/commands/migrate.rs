//! `migrate`: brings the schema up to date.

use serde::Serialize;

use crate::config::without_password;
use crate::context::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Serialize)]
struct Migrated {
    database: String,
    /// Those that were pending.
    migrations: Vec<String>,
}

pub(crate) async fn run(context: &Context) -> Result<Ending> {
    let migrations = windlass_store::migrate(context.location()).await?;
    let database = without_password(&context.settings.database);
    context.output.answer(&Migrated { database, migrations })?;
    Ok(Ending::Done)
}

impl Answer for Migrated {
    fn write(&self, page: &mut Page) {
        for migration in &self.migrations {
            page.line(format_args!("Took {migration}"));
        }
        page.line(format_args!("The schema of `{}` is up to date.", self.database));
    }
}
