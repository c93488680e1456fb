//! Command lines that make no sense.

use std::process::Command;

use expect_test::expect;

use crate::cli::folder::TestFolder;

#[test]
fn wrong_usage_is_explained_on_stderr() {
    TestFolder::new().expect(
        &[
            "nonsense",
            "deploy workflow.js",
            "resolve mut_1",
            "resolve mut_1 --skip --did-not-happen",
        ],
        &expect![[r#"
            $ windlass nonsense
            stderr:
            error: unrecognized subcommand 'nonsense'

            Usage: windlass [OPTIONS] <COMMAND>

            For more information, try '--help'.
            exit code 2

            $ windlass deploy workflow.js
            stderr:
            error: the following required arguments were not provided:
              --name <NAME>

            Usage: windlass deploy --name <NAME> <FILE>

            For more information, try '--help'.
            exit code 2

            $ windlass resolve mut_1
            stderr:
            error: the following required arguments were not provided:
              <--did-not-happen|--skip|--try-again|--happened <RESULT>>

            Usage: windlass resolve <--did-not-happen|--skip|--try-again|--happened <RESULT>> <MUTATION>

            For more information, try '--help'.
            exit code 2

            $ windlass resolve mut_1 --skip --did-not-happen
            stderr:
            error: the argument '--skip' cannot be used with '--did-not-happen'

            Usage: windlass resolve <--did-not-happen|--skip|--try-again|--happened <RESULT>> <MUTATION>

            For more information, try '--help'.
            exit code 2

        "#]],
    );
}

#[test]
fn without_a_command_the_help_is_shown() {
    let called = TestFolder::new().call("");

    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("Usage: windlass"), "{}", called.stderr);
}

#[test]
fn help_and_version_are_answers() {
    let folder = TestFolder::new();

    let (help, version) = (folder.call("--help"), folder.call("--version"));

    assert_eq!((help.code, version.code), (0, 0));
    assert!(help.stdout.contains("Exit codes: 0 done, 1 the operation failed"), "{}", help.stdout);
    assert!(version.stdout.starts_with("windlass 0."), "{}", version.stdout);
}

#[test]
fn a_shell_completes_commands_and_options() {
    let folder = TestFolder::new();
    let script = folder.call("completions bash");
    assert_eq!(script.code, 0, "{}", script.stderr);
    folder.write("completions.bash", &script.stdout);

    let completed = |words: &str, last: usize| {
        let commands = format!(
            "source completions.bash; COMP_WORDS=({words}); COMP_CWORD={last}; \
             _windlass windlass \"${{COMP_WORDS[{last}]}}\"; echo \"${{COMPREPLY[*]}}\""
        );
        let mut bash = Command::new("bash");
        let output = bash.args(["-c", &commands]).current_dir(folder.path(".")).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };

    assert_eq!(completed("windlass depl", 1), "deploy");
    assert_eq!(completed("windlass up --sl", 2), "--slots");
}

#[test]
fn what_is_not_there_is_named_with_a_way_on() {
    let folder = TestFolder::with_starter();
    folder.expect(
        &["status nobody", "show run_1", "show x", "logs wf_1", "activate nobody@1.0"],
        &expect![[r#"
            $ windlass status nobody
            stderr:
            error: there is no workflow `nobody`
            hint: `windlass list` shows those that exist
            exit code 1

            $ windlass show run_1
            stderr:
            error: there is no run `run_1`
            hint: `windlass runs`, `events`, `inputs` and `outputs` list what exists
            exit code 1

            $ windlass show x
            stderr:
            error: there is no id that begins or ends with `x`
            hint: `windlass runs`, `events`, `inputs` and `outputs` list what exists
            exit code 1

            $ windlass logs wf_1
            stderr:
            error: there is no workflow `wf_1`
            hint: `windlass list` shows those that exist
            exit code 1

            $ windlass activate nobody@1.0
            stderr:
            error: there is no workflow `nobody`
            hint: `windlass list` shows those that exist
            exit code 1

        "#]],
    );
}

#[test]
fn a_mistyped_workspace_is_not_made_by_looking_for_it() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --workspace team --yes");
    folder.expect(
        &["list --workspace taem", "pause notes --workspace taem --json", "list --workspace team"],
        &expect![[r#"
            $ windlass list --workspace taem
            stderr:
            error: there is no workspace `taem`
            hint: there is `default`, `team`; the first `windlass --workspace taem deploy` makes another
            exit code 1

            $ windlass pause notes --workspace taem --json
            {
              "error": {
                "code": "not_found",
                "message": "there is no workspace `taem`",
                "hint": "there is `default`, `team`; the first `windlass --workspace taem deploy` makes another"
              }
            }
            exit code 1

            $ windlass list --workspace team
            NAME   STATUS           VERSION  NEWEST  ID
            notes  Stopped (ready)  -        1.0     wf_[ID]
            exit code 0

        "#]],
    );
    for line in ["status", "events notes", "runs notes", "show run_1", "notifications", "doctor"] {
        let called = folder.call(&format!("{line} --workspace taem"));

        assert_eq!(called.code, 1, "{line}: {}", called.stdout);
        let said = format!("{}{}", called.stdout, called.stderr);
        assert!(said.contains("there is no workspace `taem`"), "{line}: {said}");
    }
}

#[test]
fn a_missing_database_is_no_riddle() {
    let folder = TestFolder::new();
    folder.expect(&["list", "status --json", "run notes"], &expect![[r#"
        $ windlass list
        stderr:
        error: there is no database `[DIR]/.windlass/windlass.db` yet
        hint: deploy a workflow first: `windlass deploy FILE --name NAME --activate`; or name the database with `--database`
        exit code 1

        $ windlass status --json
        {
          "error": {
            "code": "no_database",
            "message": "there is no database `[DIR]/.windlass/windlass.db` yet",
            "hint": "deploy a workflow first: `windlass deploy FILE --name NAME --activate`; or name the database with `--database`"
          }
        }
        exit code 1

        $ windlass run notes
        stderr:
        error: there is no workflow `notes`
        hint: `windlass list` shows those that exist
        exit code 1

    "#]]);
}
