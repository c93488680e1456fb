//! The folders that scripts may use, and how a script's path finds its way into one of them and never out.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use windlass_core::{Failure, FailureClass};

use crate::config::ToolsConfigError;
use crate::method::off_thread;

/// The folders of `[tools.files] roots`.
///
/// Every access goes through the open folder, so that neither `..` nor a link leads out of it. It is opened for each call: one
/// that was kept open would still be read after someone has moved it away and put another in its place.
#[derive(Debug)]
pub(crate) struct Roots {
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Root {
    /// What a script's path begins with: `["data", "inbox"]` for `data/inbox`, nothing for `.`.
    name: Vec<String>,
    path: PathBuf,
}

/// A file or folder in one of the roots.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The path as scripts write it, in its shortest form.
    pub(crate) path: String,
    pub(super) dir: Arc<Dir>,
    /// Relative to `dir`; `.` for the root itself.
    pub(super) within: PathBuf,
}

impl Roots {
    /// The folders, which are given relative to `base_dir`. Each must be there.
    pub(crate) fn open(roots: &[String], base_dir: &Path) -> Result<Self, ToolsConfigError> {
        let mut opened = Self { roots: Vec::new() };
        for root in roots {
            let name = name_of(root)?;
            if opened.roots.iter().any(|it| it.name == name) {
                return Err(ToolsConfigError::RootTwice { root: root.clone() });
            }
            let path = base_dir.join(root);
            if let Err(source) = Dir::open_ambient_dir(&path, ambient_authority()) {
                return Err(ToolsConfigError::Root { root: root.clone(), path, source });
            }
            opened.roots.push(Root { name, path });
        }
        // The most specific root answers for a path.
        opened.roots.sort_by_key(|root| std::cmp::Reverse(root.name.len()));
        Ok(opened)
    }

    /// Where `path` is.
    pub(crate) async fn place(&self, path: &str) -> Result<Place, Failure> {
        let parts = parts(path)?;
        let root = self.roots.iter().find(|root| {
            parts.get(..root.name.len()).is_some_and(|head| root.name.iter().eq(head))
        });
        let root = root.ok_or_else(|| self.outside(path))?;
        let rest = parts.get(root.name.len()..).unwrap_or_default();
        let within = if rest.is_empty() { PathBuf::from(".") } else { rest.iter().collect() };
        Ok(Place { path: parts.join("/"), dir: Arc::new(root.dir().await?), within })
    }

    fn outside(&self, path: &str) -> Failure {
        let known: Vec<_> =
            self.roots.iter().map(|root| format!("`{}`", root.name.join("/"))).collect();
        let known = if known.is_empty() { "none is set".to_owned() } else { known.join(", ") };
        Failure::new(
            FailureClass::Permission,
            format!(
                "`{path}` is in no folder that scripts may use ({known}): begin the path with one of them, or add \
                 its folder to `[tools.files] roots`"
            ),
        )
    }
}

impl Root {
    async fn dir(&self) -> Result<Dir, Failure> {
        let path = self.path.clone();
        off_thread(move || {
            Dir::open_ambient_dir(&path, ambient_authority()).map_err(|err| {
                Failure::internal(format!(
                    "could not open the folder `{}` of `[tools.files] roots`: {err}; put it back, then resume",
                    path.display()
                ))
            })
        })
        .await?
    }
}

/// Creates the folders of `[tools.files] roots` that do not exist, for a configuration that was just written.
///
/// # Errors
/// [`ToolsConfigError::Root`] where one cannot be created.
pub fn ensure_roots(roots: &[String], base_dir: &Path) -> Result<(), ToolsConfigError> {
    for root in roots {
        let path = base_dir.join(root);
        std::fs::create_dir_all(&path).map_err(|source| ToolsConfigError::Root {
            root: root.clone(),
            path,
            source,
        })?;
    }
    Ok(())
}

/// A root is called as it is configured; one that lies elsewhere (`/srv/mail`, `../mail`) by its last part.
fn name_of(root: &str) -> Result<Vec<String>, ToolsConfigError> {
    let path = Path::new(root);
    let no_name = || ToolsConfigError::RootName { root: root.to_owned() };
    if root.is_empty() {
        return Err(no_name());
    }
    let is_below =
        path.components().all(|it| matches!(it, Component::Normal(_) | Component::CurDir));
    if !is_below {
        let last = path.file_name().and_then(|it| it.to_str()).ok_or_else(no_name)?;
        return Ok(vec![last.to_owned()]);
    }
    Ok(root.split('/').filter(|it| !it.is_empty() && *it != ".").map(str::to_owned).collect())
}

/// The parts of a script's path. Whatever is not plainly below a root is refused here, and again by the open folder.
fn parts(path: &str) -> Result<Vec<String>, Failure> {
    let refuse = |why: &str| {
        Err(Failure::logic(format!("`{}` is no path for a script: {why}", path.escape_debug())))
    };
    if path.starts_with('/') {
        return refuse("it is absolute; begin it with a folder of `[tools.files] roots`");
    }
    if path.contains('\0') {
        return refuse("it contains a NUL character");
    }
    let parts: Vec<_> =
        path.split('/').filter(|it| !it.is_empty() && *it != ".").map(str::to_owned).collect();
    if parts.iter().any(|it| it == "..") {
        return refuse("it contains `..`");
    }
    if parts.is_empty() && !path.starts_with('.') {
        return refuse("it is empty");
    }
    Ok(parts)
}

impl Place {
    /// The name of the file itself.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The folder it is in, relative to the open folder.
    pub(super) fn folder(&self) -> &Path {
        match self.within.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Another file in the same folder, which messages call by the name of this one.
    pub(super) fn beside(&self, name: &str) -> Self {
        Self { within: self.within.with_file_name(name), ..self.clone() }
    }

    /// A file in this folder.
    pub(super) fn child(&self, name: &str) -> Self {
        let path =
            if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) };
        let within = if self.within == Path::new(".") {
            PathBuf::from(name)
        } else {
            self.within.join(name)
        };
        Self { path, dir: Arc::clone(&self.dir), within }
    }

    /// Why `attempted` failed here. Classified by the kind of the error, never by its words.
    pub(crate) fn failure(&self, attempted: &str, err: &io::Error) -> Failure {
        super::failure::classify(attempted, &self.path, err)
    }
}
