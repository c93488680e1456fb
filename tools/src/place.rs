//! What identifies the place of an effect.
//!
//! A folder is identified by the machine, the file system, and its number and time of birth there: another machine's folder, a folder
//! that was made anew, and the empty folder below a disk that is not mounted are other places. Windlass writes no mark of its own into
//! the folder, because a copy of the folder would carry it along.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::time::UNIX_EPOCH;

use reqwest::Url;
use serde_json::{Value, json};

/// Identifies this machine: by what its system calls its identity, or else by its name.
fn machine() -> String {
    match std::fs::read_to_string("/etc/machine-id") {
        Ok(id) if !id.trim().is_empty() => id.trim().to_owned(),
        _ => rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}

/// Identifies an open folder of this machine.
pub(crate) fn folder(folder: &File) -> io::Result<Value> {
    let metadata = folder.metadata()?;
    // The number of a device may change when the machine starts again, so the file system's own identity is better. Some have none.
    let file_system = match rustix::fs::fstatvfs(folder)?.f_fsid {
        0 => metadata.dev(),
        id => id,
    };
    let birth = metadata.created().ok().and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    let birth = birth.map(|it| it.as_nanos().to_string());
    Ok(json!([machine(), file_system, metadata.ino(), birth]))
}

/// Identifies the server of a URL. A name that means "this machine" is another server on each machine.
pub(crate) fn server(url: &Url) -> Value {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_this_machine = match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_name) => host == "localhost" || host.ends_with(".localhost"),
    };
    json!([url.origin().ascii_serialization(), is_this_machine.then(machine)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_same_under_another_name_and_another_if_it_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (dir.path().join("a"), dir.path().join("b"));
        let identity = |path| folder(&File::open(path).unwrap()).unwrap();

        std::fs::create_dir(&first).unwrap();
        let before = identity(&first);
        std::fs::write(first.join("file"), "").unwrap();
        std::fs::rename(&first, &second).unwrap();
        assert_eq!(identity(&second), before);

        std::fs::create_dir(&first).unwrap();
        assert_ne!(identity(&first), before);
        std::fs::remove_dir_all(&second).unwrap();
        std::fs::remove_dir(&first).unwrap();
        std::fs::create_dir(&second).unwrap();
        assert_ne!(identity(&second), before, "even if it has the same number");
    }

    #[test]
    fn a_server_is_its_scheme_host_and_port_and_on_this_machine_the_machine_too() {
        let of = |url: &str| server(&Url::parse(url).unwrap());

        assert_eq!(of("https://api.example/a"), of("https://API.example:443/b?c"));
        for other in ["http://api.example", "https://api.example:444", "https://b.example"] {
            assert_ne!(of("https://api.example/a"), of(other), "{other}");
        }
        for here in ["http://127.0.0.1:8080", "http://[::1]/", "http://localhost/"] {
            assert_eq!(of(here)[1], json!(machine()), "{here}");
        }
        assert_eq!(of("https://api.example")[1], Value::Null);
    }
}
