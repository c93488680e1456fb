//! A PostgreSQL server of one test, with certificates of its own.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Lives as long as the test does, and ends the server with it, also where the test is killed.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
"$1/pg_ctl" start --wait --silent --log="$PGDATA/log" && echo started || cat "$PGDATA/log"
cat > /dev/null
"$1/pg_ctl" stop --mode=immediate --silent
rm -rf "$PGDATA"
"#;

/// Who may come in how.
const ACCESS: &str = "
hostssl   all only_encrypted all scram-sha-256
hostnossl all only_plain     all trust
host      all postgres       all trust
local     all all                trust
";

/// What a server shows to whoever asks for encryption.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shows {
    /// A certificate for `localhost` that the authority issued.
    Good,
    /// One that nobody else issued.
    SelfSigned,
    /// One that the authority issued for another host.
    OtherName,
    /// Nothing: it does not encrypt.
    Nothing,
}

pub(crate) struct Server {
    dir: TempDir,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    pub(crate) port: u16,
    guardian: Child,
}

impl Server {
    /// Starts a server; `None` where tests have none to use.
    pub(crate) fn start() -> Option<Self> {
        std::env::var_os("WINDLASS_TEST_POSTGRES")?;
        let programs = find_programs().expect("PostgreSQL's programs are installed");
        let user = unprivileged_user();
        let dir = tempfile::tempdir().unwrap();
        hand_over(dir.path(), user);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);

        let initdb = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"];
        run(command(&programs.join("initdb"), dir.path(), user).args(initdb));
        let data = dir.path().join("data");
        write(&data.join("pg_hba.conf"), ACCESS, user);
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nfsync = off\n\
             include 'encryption.conf'\n",
            dir.path().display()
        );
        write(&data.join("postgresql.conf"), &settings, user);
        write(&data.join("encryption.conf"), "", user);
        write_certificates(dir.path(), user);
        let guardian = spawn_guardian(&programs, dir.path(), user);
        Some(Self { dir, programs, user, port, guardian })
    }

    /// Lets the server show another certificate.
    pub(crate) fn show(&self, shows: Shows) {
        let file = match shows {
            Shows::Good => "good",
            Shows::SelfSigned => "self-signed",
            Shows::OtherName => "other-name",
            Shows::Nothing => "",
        };
        let dir = self.dir.path().display();
        let settings = match file {
            "" => "ssl = off\n".to_owned(),
            file => format!(
                "ssl = on\nssl_cert_file = '{dir}/{file}.crt'\nssl_key_file = '{dir}/{file}.key'\n"
            ),
        };
        write(&self.dir.path().join("data/encryption.conf"), &settings, self.user);
        let mut restart = self.program("pg_ctl");
        run(restart.args(["restart", "--wait", "--silent", "--mode=immediate", "--log=log"]));
    }

    /// The file with the authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.dir.path().join("authority.crt")
    }

    /// The folder of the server's socket.
    pub(crate) fn socket_folder(&self) -> &Path {
        self.dir.path()
    }

    /// One of PostgreSQL's programs, in an empty home.
    pub(crate) fn program(&self, name: &str) -> Command {
        command(&self.programs.join(name), self.dir.path(), self.user)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Waiting closes the guardian's input first.
        let _ended = self.guardian.wait();
    }
}

fn spawn_guardian(programs: &Path, dir: &Path, user: Option<(u32, u32)>) -> Child {
    let mut guardian = command(Path::new("sh"), dir, user)
        .args(["-c", GUARDIAN, "guardian"])
        .arg(programs)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(guardian.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said.trim(), "started", "{:?}", std::fs::read_to_string(dir.join("data/log")));
    guardian
}

fn command(program: &Path, dir: &Path, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env("PGDATA", dir.join("data")).env("HOME", dir);
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

fn run(command: &mut Command) {
    // The server that one of them starts would keep a pipe open.
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} failed");
}

fn find_programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(debian.map(|version| version.path().join("bin")))
        // What is in `PATH` may be links to some of them.
        .filter_map(|dir| Some(dir.join("initdb").canonicalize().ok()?.parent()?.to_owned()))
        .find(|dir| ["pg_ctl", "postgres", "psql"].iter().all(|name| dir.join(name).is_file()))
}

/// Whoever runs the server instead of root, as whom it refuses to run.
fn unprivileged_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    (id(&["-u"]) == Some(0)).then(|| {
        let of = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
        of("postgres").or_else(|| of("nobody")).expect("somebody who is not root")
    })
}

fn write(path: &Path, text: &str, user: Option<(u32, u32)>) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    hand_over(path, user);
}

fn hand_over(path: &Path, user: Option<(u32, u32)>) {
    if let Some((user, group)) = user {
        chown(path, Some(user), Some(group)).unwrap();
    }
}

fn write_certificates(dir: &Path, user: Option<(u32, u32)>) {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "the authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    write(&dir.join("authority.crt"), &certificate.pem(), user);
    let issuer = Issuer::new(authority, key);
    let names =
        [("good", "localhost"), ("other-name", "elsewhere.example"), ("self-signed", "localhost")];
    for (file, name) in names {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, format!("a test of {file}"));
        let certificate = match file {
            "self-signed" => params.self_signed(&key).unwrap(),
            _ => params.signed_by(&key, &issuer).unwrap(),
        };
        write(&dir.join(format!("{file}.crt")), &certificate.pem(), user);
        write(&dir.join(format!("{file}.key")), &key.serialize_pem(), user);
    }
}
