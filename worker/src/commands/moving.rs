//! `move`: carries a stopped instance from one database to another.

use serde::Serialize;
use windlass_store::MovedTable;

use crate::cli::MoveArgs;
use crate::config::without_password;
use crate::config::{absolute_url, sqlite_path};
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Moved {
    from: String,
    to: String,
    /// What both databases hold.
    tables: Vec<MovedTable>,
}

pub(crate) async fn run(context: &Context, args: &MoveArgs) -> Result<ExitStatus> {
    let from = absolute_url(&args.from, &context.folder)?;
    let to = absolute_url(&args.to, &context.folder)?;
    if from == to {
        return Err(CommandError::Refused {
            code: "same_database",
            message: format!("`{}` is already there", without_password(&from)),
            hint: "name two databases".to_owned(),
        });
    }
    for url in [&from, &to] {
        require_stopped(url)?;
    }
    windlass_store::migrate(&to).await?;
    let tables = windlass_store::move_instance(&from, &to).await?;
    let (from, to) = (without_password(&from), without_password(&to));
    context.output.print(&Moved { from, to, tables })?;
    Ok(ExitStatus::Done)
}

/// Refuses a database file beside which a worker is alive.
fn require_stopped(url: &str) -> Result<()> {
    let Some(folder) = sqlite_path(url).and_then(|path| std::path::Path::new(path).parent()) else {
        return Ok(());
    };
    let alive = windlass_scheduler::alive_workers(&folder.join("workers"))?;
    if alive.is_empty() {
        return Ok(());
    }
    Err(CommandError::Refused {
        code: "running",
        message: format!("`{url}` cannot be moved now: {} worker(s) run on it", alive.len()),
        hint: "stop them first".to_owned(),
    })
}

impl Printable for Moved {
    fn write(&self, page: &mut TextPage) {
        let rows = self.tables.iter().filter(|table| table.rows > 0).map(|table| {
            let digest = table.digest.get(..16).unwrap_or(&table.digest);
            [table.table.to_owned(), table.rows.to_string(), digest.to_owned()]
        });
        page.table(["TABLE", "ROWS", "DIGEST"], rows.collect());
        page.line(format_args!("Moved to `{}`; both hold the same.", self.to));
        page.line(format_args!("Nothing runs on `{}` any more.", self.from));
    }
}
