//! A throwaway PostgreSQL: a folder and a loopback port of its own, gone as soon as whoever started it is gone.

use std::cmp::Ordering;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use crate::packages::{self, is_root};

/// Waits until its input closes, which also happens when this process is killed, then stops the server and deletes the
/// folder. The server's own file tells that it has stopped: an orphan's process id may stay taken for good in a container.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
cat > /dev/null
pid_file=$1/data/postmaster.pid
if [ -e "$pid_file" ]; then
    kill -QUIT "$(head -n 1 "$pid_file")"
    for _ in $(seq 100); do [ -e "$pid_file" ] || break; sleep 0.1; done
fi
rm -rf "$1"
"#;

/// The data lives as long as a test run: nothing is worth a wait for the disk.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
fsync = off
synchronous_commit = off
full_page_writes = off
";

/// A running server. Dropping it stops the server and deletes its data.
#[derive(Debug)]
pub(crate) struct Postgres {
    site: Site,
    port: u16,
    guardian: Child,
}

/// How a server is told to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shutdown {
    /// Every connection is closed, and what was under way undone.
    Fast,
    /// As by a crash: the next start recovers.
    Immediate,
}

/// Where the server lives, with which programs, as whom.
#[derive(Debug)]
struct Site {
    dir: PathBuf,
    programs: PathBuf,
    /// Set where we are root, as whom PostgreSQL refuses to run.
    user: Option<User>,
}

#[derive(Debug)]
struct User {
    id: u32,
    group: u32,
}

impl Postgres {
    /// Starts a server. Installs PostgreSQL first where it is missing and can be installed.
    pub(crate) fn start(sh: &Shell) -> anyhow::Result<Self> {
        Self::start_with(sh, "")
    }

    /// The same with more settings, a line each.
    pub(crate) fn start_with(sh: &Shell, settings: &str) -> anyhow::Result<Self> {
        let programs = find_or_install(sh)?;
        let user = unprivileged_user(sh)?;
        let dir = PathBuf::from(cmd!(sh, "mktemp -d").quiet().read()?);
        // From here on the folder is deleted whatever happens.
        let guardian = spawn_guardian(&dir)?;
        let mut postgres = Self { site: Site { dir, programs, user }, port: 0, guardian };

        let site = &postgres.site;
        site.hand_over(&site.dir)?;
        site.run(
            "initdb",
            &["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"],
        )?;
        site.configure(sh, settings)?;
        postgres.port = site.start()?;
        Ok(postgres)
    }

    pub(crate) fn url(&self) -> String {
        self.url_of("postgres", "postgres")
    }

    /// Where `user` finds `database`.
    pub(crate) fn url_of(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The client: beside the server's programs, or wherever the shell finds it.
    pub(crate) fn psql(&self) -> PathBuf {
        let beside = self.site.programs.join("psql");
        if beside.is_file() { beside } else { PathBuf::from("psql") }
    }

    /// Ends the server and starts it again.
    pub(crate) fn restart(&self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mode = match shutdown {
            Shutdown::Fast => "--mode=fast",
            Shutdown::Immediate => "--mode=immediate",
        };
        self.site.run("pg_ctl", &["restart", mode, "--wait", "--silent", "--log=log"])
    }

    /// A folder beside the data that the server may write to.
    pub(crate) fn make_folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.site.dir.join(name);
        std::fs::create_dir(&folder)
            .with_context(|| format!("could not make `{}`", folder.display()))?;
        Ok(folder)
    }

    /// Lets the server write to what is there now.
    pub(crate) fn hand_over(&self, folder: &Path) -> anyhow::Result<()> {
        self.site.hand_over(folder)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Waiting closes the guardian's input first.
        let _ = self.guardian.wait();
    }
}

impl Site {
    fn hand_over(&self, folder: &Path) -> anyhow::Result<()> {
        let Some(user) = &self.user else { return Ok(()) };
        chown(folder, Some(user.id), Some(user.group))
            .with_context(|| format!("could not hand over `{}`", folder.display()))
    }

    fn configure(&self, sh: &Shell, settings: &str) -> anyhow::Result<()> {
        let path = self.data().join("postgresql.conf");
        let defaults = sh.read_file(&path)?;
        sh.write_file(&path, format!("{defaults}{SETTINGS}{settings}"))?;
        Ok(())
    }

    /// Starts the server on a free port, which another process may take just before it does: then on another one.
    fn start(&self) -> anyhow::Result<u16> {
        let mut attempts_left = 5;
        loop {
            let port = free_port()?;
            let options = format!("--options=-p {port}");
            attempts_left -= 1;
            match self.run("pg_ctl", &["start", "--wait", "--silent", "--log=log", &options]) {
                Ok(()) => return Ok(port),
                Err(error) if attempts_left > 0 && error.to_string().contains("already in use") => {
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs one of PostgreSQL's programs to its end; shows what it said only if it fails.
    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).env("PGDATA", self.data()).current_dir(&self.dir);
        if let Some(user) = &self.user {
            command.uid(user.id).gid(user.group);
        }
        let output = command.output().with_context(|| {
            format!("could not start `{}`", self.programs.join(program).display())
        })?;
        if output.status.success() {
            return Ok(());
        }
        let log = std::fs::read(self.dir.join("log")).unwrap_or_default();
        bail!(
            "`{program}` failed ({}):\n{}{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&log),
        )
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }
}

/// Outside our process group, so that Ctrl-C does not end it too.
fn spawn_guardian(dir: &Path) -> anyhow::Result<Child> {
    Command::new("sh")
        .args(["-c", GUARDIAN, "guardian"])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .context("could not start `sh`")
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free loopback port")?;
    Ok(listener.local_addr()?.port())
}

fn find_or_install(sh: &Shell) -> anyhow::Result<PathBuf> {
    if let Some(programs) = find(sh) {
        return Ok(programs);
    }
    packages::install(sh, "postgresql").context(
        "PostgreSQL is missing: install it, or leave its tests out with `--no-postgres`",
    )?;
    find(sh).context("the package `postgresql` brought no `initdb`")
}

/// The folder of the server's programs: from `PATH`, from where Debian puts them, or from what `pg_config` says.
fn find(sh: &Shell) -> Option<PathBuf> {
    let path = sh.var_os("PATH").unwrap_or_default();
    let debian = sh.read_dir("/usr/lib/postgresql").unwrap_or_default();
    let configured = cmd!(sh, "pg_config --bindir").quiet().ignore_stderr().read();
    std::env::split_paths(&path)
        .chain(newest_first(debian).into_iter().map(|version| version.join("bin")))
        .chain(configured.ok().map(PathBuf::from))
        .find(|dir| ["initdb", "pg_ctl", "postgres"].iter().all(|name| dir.join(name).is_file()))
}

/// Debian names the folders by major version: 9.6, 13, 15.
fn newest_first(mut versions: Vec<PathBuf>) -> Vec<PathBuf> {
    let number = |path: &PathBuf| -> Option<f64> { path.file_name()?.to_str()?.parse().ok() };
    versions.sort_by(|a, b| number(b).partial_cmp(&number(a)).unwrap_or(Ordering::Equal));
    versions
}

fn unprivileged_user(sh: &Shell) -> anyhow::Result<Option<User>> {
    if !is_root(sh)? {
        return Ok(None);
    }
    let user = ["postgres", "nobody"].into_iter().find_map(|name| find_user(sh, name));
    user.map(Some).context(
        "PostgreSQL refuses to run as root, and neither user `postgres` nor `nobody` exists",
    )
}

fn find_user(sh: &Shell, name: &str) -> Option<User> {
    let number = |option: &str| -> Option<u32> {
        cmd!(sh, "id {option} {name}").quiet().ignore_stderr().read().ok()?.parse().ok()
    };
    Some(User { id: number("-u")?, group: number("-g")? })
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let versions = ["9.6", "15", "common", "13"].map(PathBuf::from).to_vec();

        let ordered = newest_first(versions);

        assert_eq!(ordered, ["15", "13", "9.6", "common"].map(PathBuf::from));
    }

    #[test]
    fn a_guardian_deletes_the_folder_when_its_owner_is_gone() {
        let sh = Shell::new().unwrap();
        let dir = PathBuf::from(cmd!(sh, "mktemp -d").quiet().read().unwrap());
        sh.write_file(dir.join("data/PG_VERSION"), "15").unwrap();

        let guardian = spawn_guardian(&dir).unwrap();
        let site = Site { dir: dir.clone(), programs: PathBuf::new(), user: None };
        drop(Postgres { site, port: 0, guardian });

        assert!(!dir.exists());
    }

    #[test]
    fn a_dropped_server_answers_no_more() {
        let sh = Shell::new().unwrap();
        if sh.var_os(crate::test::POSTGRES_URL).is_none() {
            return;
        }
        let postgres = Postgres::start(&sh).unwrap();
        let address = postgres.url().split(['@', '/']).nth(3).unwrap().to_owned();
        TcpStream::connect(&address).unwrap();

        drop(postgres);

        assert!(TcpStream::connect(&address).is_err());
    }
}
