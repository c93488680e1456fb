//! The tools as a script meets them: through the registry, with real files and real servers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commit_points;
mod endpoints;
mod files;
mod http;
mod mail;
mod mcp;
mod notify;
mod paths;
mod secrets;
mod server;
mod types;
mod world;
