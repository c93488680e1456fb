//! The program as people and programs meet it: arguments in; exit code, stdout and stderr out.

#![expect(clippy::unwrap_used, reason = "a test says what it relies on by failing")]

mod choices;
mod configuration;
mod connectors;
mod disks;
mod doubts;
mod failing;
pub(crate) mod folder;
mod json;
mod lifecycle;
mod moving;
mod notifying;
mod operating;
mod permissions;
mod processes;
mod prune;
mod replaying;
mod scripts;
mod secrets;
mod serving;
mod terminal;
mod usage;
