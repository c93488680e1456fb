//! The folders that scripts may use. Resolves the paths of scripts and keeps them inside these folders.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use windlass_core::{Failure, FailureClass};
use windlass_scheduler::Place;

use super::protected::Protected;
use crate::config::{FilesConfig, ToolsConfigError};
use crate::method::off_thread;
use crate::place;

/// The folders of `[tools.files] roots`.
///
/// Every access goes through an open handle of the folder, so that neither `..` nor a link leads out of it. The handle is opened
/// for each call: a handle that stays open would follow the old folder after somebody has replaced it.
#[derive(Debug)]
pub(crate) struct Roots {
    roots: Vec<Root>,
    protected: Arc<Protected>,
}

#[derive(Debug)]
struct Root {
    /// The beginning of a script's path: `["data", "inbox"]` for `data/inbox`, nothing for `.`.
    name: Vec<String>,
    path: PathBuf,
}

/// A file or folder in one of the roots.
#[derive(Debug, Clone)]
pub(crate) struct FileLocation {
    /// The path in scripts, in its shortest form.
    pub(crate) path: String,
    pub(super) dir: Arc<Dir>,
    /// The path relative to `dir`; `.` for the root itself.
    pub(super) relative: PathBuf,
    /// The name of the root in scripts.
    root: String,
    protected: Arc<Protected>,
}

impl Roots {
    /// Opens the folders, whose paths are relative to `base_dir`. Each must exist, and none may contain what is protected.
    pub(crate) fn open(config: &FilesConfig, base_dir: &Path) -> Result<Self, ToolsConfigError> {
        let protected = Arc::new(Protected::new(&config.protected));
        let mut opened = Self { roots: Vec::new(), protected };
        for root in &config.roots {
            let name = name_of(root)?;
            if opened.roots.iter().any(|it| it.name == name) {
                return Err(ToolsConfigError::RootTwice { root: root.clone() });
            }
            let path = base_dir.join(root);
            if let Err(source) = Dir::open_ambient_dir(&path, ambient_authority()) {
                return Err(ToolsConfigError::Root { root: root.clone(), path, source });
            }
            if let Some(conflict) = opened.protected.conflict(&path) {
                let (root, path) = (root.clone(), conflict.to_owned());
                return Err(ToolsConfigError::RootUnsafe { root, path });
            }
            opened.roots.push(Root { name, path });
        }
        // The most specific root comes first, so it is found first.
        opened.roots.sort_by_key(|root| std::cmp::Reverse(root.name.len()));
        Ok(opened)
    }

    /// Resolves the path of a script.
    pub(crate) async fn locate(&self, path: &str) -> Result<FileLocation, Failure> {
        let parts = parts(path)?;
        let root = self.roots.iter().find(|root| {
            parts.get(..root.name.len()).is_some_and(|head| root.name.iter().eq(head))
        });
        let root = root.ok_or_else(|| self.outside_failure(path))?;
        let rest = parts.get(root.name.len()..).unwrap_or_default();
        let relative = if rest.is_empty() { PathBuf::from(".") } else { rest.iter().collect() };
        let (path, dir) = (parts.join("/"), Arc::new(root.dir().await?));
        let (root, protected) = (root.name.join("/"), Arc::clone(&self.protected));
        let location = FileLocation { path, dir, relative, root, protected };
        location.refuse_protected().await?;
        Ok(location)
    }

    /// Resolves the path of a call that changes something. Its root must still be the `place` that the ledger names.
    pub(super) async fn locate_in(
        &self,
        place: Option<&str>,
        path: &str,
    ) -> Result<FileLocation, Failure> {
        let location = self.locate(path).await?;
        let present = location.place().await?;
        if place != Some(present.identity.as_str()) {
            return Err(Failure::internal(format!(
                "the {} was replaced at this moment: nothing was changed",
                present.name
            )));
        }
        Ok(location)
    }

    fn outside_failure(&self, path: &str) -> Failure {
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
/// At any other time a missing folder is an error: in an empty folder, every effect would seem to be missing.
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

/// The name of a root in scripts: as it is configured, or its last part if it is not below the configuration (`/srv/mail`,
/// `../mail`).
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

/// The parts of a script's path. A path that could lead out of a root is refused here, and again by the folder's handle.
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

impl FileLocation {
    /// The name of the file itself.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether scripts can pass the path back: it is UTF-8 and was not changed to show it.
    pub(super) fn has_path(&self) -> bool {
        self.relative.to_str().is_some()
    }

    /// The folder it is in, relative to the open folder.
    pub(super) fn folder(&self) -> &Path {
        match self.relative.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Another file in the same folder. Messages show the path of this one.
    pub(super) fn sibling(&self, name: &str) -> Self {
        Self { relative: self.relative.with_file_name(name), ..self.clone() }
    }

    /// A file in this folder. A name that is not UTF-8 is shown with replacements.
    pub(super) fn child(&self, name: &OsStr) -> Self {
        let shown = name.to_string_lossy();
        let path = if self.path.is_empty() {
            shown.into_owned()
        } else {
            format!("{}/{shown}", self.path)
        };
        let relative = if self.relative == Path::new(".") {
            PathBuf::from(name)
        } else {
            self.relative.join(name)
        };
        Self { path, relative, ..self.clone() }
    }

    /// Whether this is the metadata of a file that no script may use.
    pub(super) fn is_protected(&self, metadata: &Metadata) -> bool {
        self.protected.contains(metadata)
    }

    async fn refuse_protected(&self) -> Result<(), Failure> {
        let location = self.clone();
        let is_protected = off_thread(move || {
            let metadata = location.dir.metadata(&location.relative);
            metadata.is_ok_and(|metadata| location.is_protected(&metadata))
        });
        if is_protected.await? {
            return Err(Failure::new(
                FailureClass::Permission,
                format!(
                    "`{}` is another name of the configuration, the state or a secret, which no script may use: remove this link",
                    self.path
                ),
            ));
        }
        Ok(())
    }

    /// The root, which is the place of all effects in it.
    pub(super) async fn place(&self) -> Result<Place, Failure> {
        let (location, name) = (self.clone(), format!("folder `{}`", self.root_name()));
        let identity = off_thread(move || {
            let folder = location.dir.try_clone()?.into_std_file();
            place::folder(&folder)
        });
        let identity =
            identity.await?.map_err(|err| self.failure("look at the folder of", &err))?;
        Ok(Place::new(name, &identity))
    }

    /// The root's name for people.
    fn root_name(&self) -> &str {
        if self.root.is_empty() { "." } else { &self.root }
    }

    /// The failure of `attempted`, a verb. The kind of the error decides the class, never its message.
    pub(crate) fn failure(&self, attempted: &str, err: &io::Error) -> Failure {
        super::failure::classify(attempted, &self.path, err)
    }
}
