//! A request as the servers of the crash tests read it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;

/// A complete request.
pub(crate) struct Request {
    pub(crate) path: String,
    /// The idempotency key; empty if there is none.
    pub(crate) key: String,
}

impl Request {
    /// Reads a request to its end. `None` means that the connection closed before the request was complete.
    pub(crate) fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let n_bytes = field("content-length: ").map_or(0, |it| it.trim().parse().unwrap());
        reader.read_exact(&mut vec![0; n_bytes]).ok()?;
        let path = head.split(' ').nth(1)?.to_owned();
        Some(Self { path, key: field("idempotency-key: ").unwrap_or_default().trim().to_owned() })
    }
}
