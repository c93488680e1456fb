//! Which programs of a configuration this user lets start.
//!
//! A configuration can name programs: the servers of connectors, and the command that gets notifications. Whoever looks at somebody
//! else's folder with `windlass check` would start them. So they start only after `windlass trust`, as with the hooks of git and direnv.
//! What is trusted is kept in the user's own state folder, by the path of the configuration. It stays trusted as long as the command
//! lines, and the files of that folder that they name, stay the same.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};
use windlass_core::{digest, digest_text};
use windlass_tools::channels::CommandChannel;
use windlass_tools::mcp::Endpoint;
use windlass_tools::private_file;

use crate::config::Settings;
use crate::context::{Context, environment};
use crate::exit::{CommandError, Result};

/// A program that a configuration names.
#[derive(Debug, Serialize)]
pub(crate) struct Program {
    /// Its connector, or `notify`.
    pub(crate) connector: String,
    /// Its command line.
    pub(crate) command: String,
    /// Identifies what would be started.
    #[serde(skip)]
    identity: Value,
}

/// The digest of the programs that were trusted, by the path of their configuration.
type Trusted = BTreeMap<String, String>;

/// The programs that the configuration names.
pub(crate) fn programs(settings: &Settings) -> Vec<Program> {
    let program = |(name, server): (_, &windlass_tools::mcp::ServerConfig)| {
        let Endpoint::Process { command, args, dir, .. } = &server.endpoint else { return None };
        let words: Vec<_> = std::iter::once(command).chain(args).map(String::as_str).collect();
        let files = named_files(&settings.root, dir, command, args);
        let identity = json!([name, server.endpoint, files]);
        Some(Program { connector: format!("{name}"), command: words.join(" "), identity })
    };
    settings.mcp.iter().filter_map(program).chain(notifier(settings)).collect()
}

/// The command to which notifications are sent.
fn notifier(settings: &Settings) -> Option<Program> {
    let CommandChannel { command, args } = settings.notify.command.as_ref()?;
    let words: Vec<_> = std::iter::once(command).chain(args).map(String::as_str).collect();
    let files = named_files(&settings.root, ".".as_ref(), command, args);
    let identity = json!(["[notify.command]", command, args, files]);
    Some(Program { connector: "notify".to_owned(), command: words.join(" "), identity })
}

/// Refuses programs that this user has not trusted.
pub(crate) fn require(context: &Context) -> Result<()> {
    let programs = programs(&context.settings);
    let (Some(file), false) = (&context.settings.file, programs.is_empty()) else { return Ok(()) };
    if load()?.get(&key(file)?) == Some(&digest_of(&programs)) {
        return Ok(());
    }
    let commands: Vec<_> = programs.iter().map(|it| format!("`{}`", it.command)).collect();
    Err(CommandError::Refused {
        code: "untrusted",
        message: format!(
            "`{}` would start {}, which you have not trusted, or which changed since",
            file.display(),
            commands.join(", ")
        ),
        hint: format!("look at what it starts, then run `{}`", context.hint.command("trust")),
    })
}

/// Lets the programs of this configuration start from now on.
pub(crate) fn trust(settings: &Settings) -> Result<Vec<Program>> {
    let programs = programs(settings);
    if let (Some(file), false) = (&settings.file, programs.is_empty()) {
        let mut trusted = load()?;
        trusted.insert(key(file)?, digest_of(&programs));
        let path = store_path()?;
        private_file::replace_json(&path, &trusted).map_err(CommandError::file("write", path))?;
    }
    Ok(programs)
}

fn digest_of(programs: &[Program]) -> String {
    digest(&programs.iter().map(|program| program.identity.clone()).collect())
}

/// The files in the folder of the configuration that a command line names, each with the digest of its contents.
fn named_files(root: &Path, dir: &Path, command: &str, args: &[String]) -> Vec<(String, String)> {
    let is_path = command.contains('/');
    let program = is_path.then(|| (command.to_owned(), root.join(command)));
    let args = args.iter().map(|arg| (arg.clone(), root.join(dir).join(arg)));
    let is_inside = |path: &Path| {
        let real = path.canonicalize().and_then(|path| Ok((path, root.canonicalize()?)));
        real.is_ok_and(|(path, root)| path.starts_with(root) && path.is_file())
    };
    let named = program.into_iter().chain(args).filter(|(_, path)| is_inside(path));
    named
        .map(|(word, path)| {
            // Each byte becomes one character, so that different files have different texts.
            let bytes = fs::read(path).unwrap_or_default();
            (word, digest_text(&bytes.into_iter().map(char::from).collect::<String>()))
        })
        .collect()
}

/// The path of a configuration, the same whatever it is called by.
fn key(file: &Path) -> Result<String> {
    let path = file.canonicalize().map_err(CommandError::file("find", file))?;
    Ok(path.display().to_string())
}

/// The file in which this user's decisions are kept.
fn store_path() -> Result<PathBuf> {
    let absolute = |name: &str| environment(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    let state = state.ok_or_else(|| CommandError::Refused {
        code: "no_home",
        message: "there is no place for what you trust".to_owned(),
        hint: "set the environment variable `HOME` or `XDG_STATE_HOME` to a folder of yours"
            .to_owned(),
    })?;
    Ok(state.join("windlass/trusted.json"))
}

fn load() -> Result<Trusted> {
    let path = store_path()?;
    let damaged = |error: serde_json::Error| io::Error::new(io::ErrorKind::InvalidData, error);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(damaged)
            .map_err(CommandError::file("read what you trust in", path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Trusted::new()),
        Err(error) => Err(CommandError::file("read", path)(error)),
    }
}
