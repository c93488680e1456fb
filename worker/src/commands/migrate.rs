//! `migrate`: brings the schema up to date.

use serde::Serialize;

use crate::config::without_password;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Migrated {
    database: String,
    /// Those that were pending.
    migrations: Vec<String>,
}

pub(crate) async fn run(context: &Context) -> Result<ExitStatus> {
    let migrations = windlass_store::migrate(context.location()).await?;
    let database = without_password(&context.settings.database);
    context.output.print(&Migrated { database, migrations })?;
    Ok(ExitStatus::Done)
}

impl Printable for Migrated {
    fn write(&self, page: &mut TextPage) {
        for migration in &self.migrations {
            page.line(format_args!("Applied {migration}"));
        }
        page.line(format_args!("The schema of `{}` is up to date.", self.database));
    }
}
