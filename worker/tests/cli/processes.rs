//! The program among other processes: signals and pipes.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::place::Place;

#[test]
fn up_works_until_it_is_told_to_stop() {
    let place = Place::with_starter();
    place.call("deploy workflow.js --name notes --activate");
    let mut up = place.command("up").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines().map(Result::unwrap);

    let seen: Vec<_> = lines.by_ref().take_while(|line| !line.contains("Files.append")).collect();
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();

    assert!(seen.iter().any(|line| line == "Watching notes."), "{seen:?}");
    assert_eq!(lines.last().as_deref(), Some("Stopped."));
    assert_eq!(up.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let mut types =
        place.command("types").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    drop(types.stdout.take());

    let output = types.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
