//! `init`: a commented workflow and configuration to start from.

use std::path::PathBuf;

use include_dir::{Dir, include_dir};
use serde::Serialize;
use windlass_tools::ensure_roots;

use crate::cli::InitArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::hint::quoted;
use crate::output::{Printable, TextPage};
use crate::wording::NextCommand;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

#[derive(Debug, Serialize)]
struct InitOutput {
    files: Vec<PathBuf>,
    next: Vec<NextCommand>,
}

pub(crate) async fn run(outer: &Context, args: &InitArgs) -> Result<ExitStatus> {
    let folder = outer.folder.join(&args.dir);
    let files = all_files(&TEMPLATES);
    if let Some(taken) =
        files.iter().map(|file| folder.join(file.path())).find(|path| path.exists())
    {
        return Err(CommandError::Refused {
            code: "file_exists",
            message: format!("`{}` already exists, and nothing was written", taken.display()),
            hint: "name another folder, or move the file away".to_owned(),
        });
    }
    for file in &files {
        let path = folder.join(file.path());
        let parent = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent).map_err(CommandError::file("make the folder", parent))?;
        std::fs::write(&path, file.contents()).map_err(CommandError::file("write", path))?;
    }
    let context = outer.within(&args.dir)?;
    ensure_roots(&context.settings.tools.files.roots, &context.settings.root)?;
    // A server is shared: whether and when its schema is made is decided with `migrate`.
    if !context.settings.is_server() {
        context.open_or_create().await?;
    }
    let written = files.iter().map(|file| args.dir.join(file.path())).collect();
    context
        .output
        .print(&InitOutput { files: written, next: next_commands(outer, &context, args) })?;
    Ok(ExitStatus::Done)
}

fn all_files<'a>(folder: &'a Dir<'a>) -> Vec<&'a include_dir::File<'a>> {
    let below = folder.dirs().flat_map(all_files);
    folder.files().chain(below).collect()
}

/// Beside the new configuration it is found without being named.
fn next_commands(outer: &Context, context: &Context, args: &InitArgs) -> Vec<NextCommand> {
    let is_here = args.dir.as_os_str() == ".";
    let hint = if is_here { &outer.hint } else { &context.hint };
    let path = |name: &str| {
        let path = if is_here { PathBuf::from(name) } else { args.dir.join(name) };
        quoted(&path.display().to_string())
    };
    let script = path("workflow.js");
    vec![
        NextCommand {
            command: hint.command(&format!("check {script}")),
            effect: "validates the script",
        },
        NextCommand {
            command: hint.command(&format!("deploy {script} --name notes --activate --yes")),
            effect: "makes a workflow of it",
        },
        NextCommand { command: hint.command("run notes"), effect: "runs it once" },
        NextCommand {
            command: format!("{} > {}", hint.command("types"), path("windlass.d.ts")),
            effect: "tells an editor what a script can call",
        },
    ]
}

impl Printable for InitOutput {
    fn write(&self, page: &mut TextPage) {
        for file in &self.files {
            page.line(format_args!("Wrote {}", file.display()));
        }
        page.heading("Next steps");
        for next in &self.next {
            next.write(page);
        }
    }
}
