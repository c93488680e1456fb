//! A disk for a database that can be filled at once, by shrinking it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::database::Database;
use crate::postgres::Postgres;

/// The tablespace on it.
pub(crate) const TABLESPACE: &str = "small";

/// More than any load needs. Memory is taken only for what is written.
const FULL_SIZE: &str = "size=4g";

/// A file system in memory, mounted in this process's own namespace.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one, and makes the tablespace.
    pub(crate) fn mount(postgres: &Postgres) -> anyhow::Result<Self> {
        let folder = postgres.make_folder("small")?;
        run(Command::new("mount").args(["-t", "tmpfs", "-o", FULL_SIZE, "tmpfs"]).arg(&folder))?;
        let disk = Self { folder };
        postgres.hand_over(&disk.folder)?;
        let place = disk.folder.display();
        Database::new(postgres, "postgres")
            .ask(&format!("CREATE TABLESPACE {TABLESPACE} LOCATION '{place}'"))?;
        Ok(disk)
    }

    /// Shrinks it to what is used.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        let used = run(Command::new("df").args(["-k", "--output=used"]).arg(&self.folder))?;
        let used: u64 = used.lines().last().unwrap_or_default().trim().parse()?;
        // The database has written a little since `df` ran.
        self.resize(&format!("size={}k", used + 256))
    }

    /// Gives it its full size again.
    pub(crate) fn restore_size(&self) -> anyhow::Result<()> {
        self.resize(FULL_SIZE)
    }

    fn resize(&self, size: &str) -> anyhow::Result<()> {
        let options = format!("remount,{size}");
        run(Command::new("mount").args(["-o", &options]).arg(&self.folder))?;
        Ok(())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

/// The command that runs `program` in a mount namespace of its own; none where that is not allowed.
pub(crate) fn with_own_mounts(program: &Path) -> Option<Command> {
    // Root needs no more; another user keeps the capabilities that the namespace grants.
    let ways: [&[&str]; 2] = [&["--mount"], &["--map-current-user", "--keep-caps", "--mount"]];
    let unshare = |way: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(way).arg("--");
        command
    };
    let can_mount = |way: &&&[&str]| {
        let probe = unshare(way).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
        probe.is_ok_and(|output| output.status.success())
    };
    let way = ways.iter().find(can_mount)?;
    let mut command = unshare(way);
    command.arg(program);
    Some(command)
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("could not start {command:?}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {stderr}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
