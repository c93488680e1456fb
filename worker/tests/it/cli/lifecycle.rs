//! A workflow from its first version to its last.

use expect_test::expect;

use crate::cli::folder::TestFolder;

#[test]
fn a_starter_is_written_once_and_works() {
    let folder = TestFolder::new();
    folder.expect(
        &["init", "check workflow.js", "deploy workflow.js --name notes --activate --yes", "init"],
        &expect![[r#"
            $ windlass init
            Wrote ./windlass.toml
            Wrote ./workflow.js
            Wrote ./inbox/first.txt

            Next steps
              windlass check workflow.js
                  validates the script
              windlass deploy workflow.js --name notes --activate --yes
                  makes a workflow of it
              windlass run notes
                  runs it once
              windlass types > windlass.d.ts
                  tells an editor what a script can call
            exit code 0

            $ windlass check workflow.js
            workflow.js is a valid workflow.
              producer      inbox: every 1m, publishes note.found
              consumer      log: subscribes note.found
              calls         Files.append, Files.list, Files.read
            exit code 0

            $ windlass deploy workflow.js --name notes --activate --yes
            Saved version 1.0 of `notes`.
              may call      Files.append, Files.list, Files.read
            Version 1.0 runs now.
            `windlass run notes` runs it once; `windlass up` keeps it running.
            exit code 0

            $ windlass init
            stderr:
            error: `[DIR]/./windlass.toml` already exists, and nothing was written
            hint: name another folder, or move the file away
            exit code 1

        "#]],
    );

    let ran = folder.call("run notes");

    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(folder.read("out/notes.log"), "\"inbox/first.txt\": Buy coffee\n");
}

#[test]
fn a_starter_is_written_although_its_server_is_away() {
    let folder = TestFolder::new();

    let written = folder.call("init --database postgres://me@127.0.0.1:1/windlass");

    assert_eq!(written.code, 0, "{}", written.stderr);
    assert!(folder.path("workflow.js").exists());
}

#[test]
fn versions_count_up_and_one_of_them_runs() {
    let folder = TestFolder::with_starter();
    let source = folder.read("workflow.js");
    folder.write("second.js", format!("{source}// second\n"));
    folder.write("repair.js", format!("{source}// repair\n"));
    folder.expect(
        &[
            "deploy workflow.js --name notes --yes",
            "deploy workflow.js --name notes --yes",
            "status notes",
            "deploy second.js --name notes --activate",
            "deploy repair.js --name notes --fix",
            "activate notes@1.0",
            "activate notes@9.9",
            "list",
        ],
        &expect![[r#"
            $ windlass deploy workflow.js --name notes --yes
            Saved version 1.0 of `notes`.
              may call      Files.append, Files.list, Files.read
            `windlass activate notes@1.0` lets it run.
            exit code 0

            $ windlass deploy workflow.js --name notes --yes
            `notes` already has this script: version 1.0.
              may call      Files.append, Files.list, Files.read
            `windlass activate notes@1.0` lets it run.
            exit code 0

            $ windlass status notes
            notes: Stopped
              it was never activated

              What to do
                windlass activate notes
                    lets its newest version run

            No version runs; the newest is 1.0
            exit code 0

            $ windlass deploy second.js --name notes --activate
            Saved version 2.0 of `notes`.
              may call      Files.append, Files.list, Files.read
            Version 2.0 runs now.
            `windlass run notes` runs it once; `windlass up` keeps it running.
            exit code 0

            $ windlass deploy repair.js --name notes --fix
            Saved version 2.1 of `notes`.
              may call      Files.append, Files.list, Files.read
            `windlass activate notes@2.1` lets it run.
            exit code 0

            $ windlass activate notes@1.0
            `notes` runs version 1.0 now.
            `windlass up` keeps it running; `windlass run notes` runs it once.
            exit code 0

            $ windlass activate notes@9.9
            stderr:
            error: `notes` has no version `9.9`
            hint: it has 2.1, 2.0, 1.0
            exit code 1

            $ windlass list
            NAME   STATUS  VERSION  NEWEST  ID
            notes  Idle    1.0      2.1     wf_[ID]
            exit code 0

        "#]],
    );
}

#[test]
fn a_pause_says_how_it_ends() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --yes");
    folder.expect(
        &[
            "pause notes",
            "activate notes",
            "pause notes",
            "status notes",
            "run notes",
            "resume notes",
        ],
        &expect![[r#"
            $ windlass pause notes
            stderr:
            error: cannot pause a workflow that is ready
            hint: activate it first
            exit code 1

            $ windlass activate notes
            `notes` runs version 1.0 now.
            `windlass up` keeps it running; `windlass run notes` runs it once.
            exit code 0

            $ windlass pause notes
            `notes` is paused now.
            `windlass resume notes` lets it continue.
            exit code 0

            $ windlass status notes
            notes: Stopped
              it is paused

              What to do
                windlass resume notes
                    continues where it stopped

            Version 1.0 runs
              may call      Files.append, Files.list, Files.read

            Handlers
              NAME   KIND      SCHEDULE  NEXT                 LAST
              inbox  producer  every 1m  [TIME]  -
              log    consumer  -         -                    -

            Events (0 input(s) pending)
              TOPIC       PENDING  RESERVED  CONSUMED  SKIPPED  PARKED
              note.found  0        0         0         0        0

            Last session
              id            ses_[ID]
              trigger       event
              result        not ended yet, 0 run(s)
              began         [TIME]
            exit code 0

            $ windlass run notes
            stderr:
            error: `notes` cannot run now, because it is paused
            hint: run `windlass resume notes`
            exit code 1

            $ windlass resume notes
            `notes` is active now.
            `windlass status notes` shows its state.
            exit code 0

        "#]],
    );
}

#[test]
fn what_is_put_away_comes_back_paused() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    folder.expect(
        &["archive notes", "resume notes", "list", "list --all", "unarchive notes", "status"],
        &expect![[r#"
            $ windlass archive notes
            `notes` is archived now.
            `windlass unarchive notes` takes it out of the archive.
            exit code 0

            $ windlass resume notes
            stderr:
            error: cannot resume a workflow that is archived
            hint: unarchive it first
            exit code 1

            $ windlass list
            There are no workflows.
            1 archived; `--all` shows them too.
            exit code 0

            $ windlass list --all
            NAME   STATUS              VERSION  NEWEST  ID
            notes  Stopped (archived)  1.0      1.0     wf_[ID]
            exit code 0

            $ windlass unarchive notes
            `notes` is paused now.
            `windlass resume notes` lets it continue.
            exit code 0

            $ windlass status
            NAME   STATUS   WHY
            notes  Stopped  it is paused
            exit code 0

        "#]],
    );
}

#[test]
fn a_session_is_told_while_it_runs_and_afterwards() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    folder.expect(
        &["run notes", "status notes", "status"],
        &expect![[r#"
            $ windlass run notes
            notes · inbox · ✓ checked
            notes · log · ✓ Files.append: Note inbox/first.txt

            Session ses_[ID]: completed, 4 of 4 run(s) committed.

            notes: Idle
              it waits for the schedule (every 1m) of `inbox` until [TIME]

            `windlass outputs notes` lists what went out.
            exit code 0

            $ windlass status notes
            notes: Idle
              it waits for the schedule (every 1m) of `inbox` until [TIME]

            Version 1.0 runs
              may call      Files.append, Files.list, Files.read

            Handlers
              NAME   KIND      SCHEDULE  NEXT                 LAST
              inbox  producer  every 1m  [TIME]  [TIME]
              log    consumer  -         -                    [TIME]

            Events (0 input(s) pending)
              TOPIC       PENDING  RESERVED  CONSUMED  SKIPPED  PARKED
              note.found  0        0         1         0        0

            Last session
              id            ses_[ID]
              trigger       manual
              result        completed, 4 run(s)
              began         [TIME]
            exit code 0

            $ windlass status
            NAME   STATUS  WHY
            notes  Idle    it waits for the schedule (every 1m) of `inbox` until [TIME]
            exit code 0

        "#]],
    );
}

#[test]
fn what_happened_can_be_read() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    folder.call("run notes");
    folder.expect(
        &["inputs notes", "outputs notes", "events notes", "runs notes", "notifications"],
        &expect![[r#"
            $ windlass inputs notes
            STATUS  KIND        TITLE            SINCE                ID
            done    Files/file  inbox/first.txt  [TIME]  inp_[ID]
            exit code 0

            $ windlass outputs notes
            STATUS     TOOL          TITLE                 BECAUSE OF                            ID
            ✓ applied  Files.append  Note inbox/first.txt  inp_[ID]  mut_[ID]
            exit code 0

            $ windlass events notes
            TOPIC       STATUS    MESSAGE          ATTEMPT  PAYLOAD                     ID
            note.found  consumed  inbox/first.txt  1        {"path":"inbox/first.txt"}  evt_[ID]
            exit code 0

            $ windlass runs notes
            HANDLER  KIND      STATUS     PHASE      STARTED              ERROR  ID
            log      consumer  committed  committed  [TIME]         run_[ID]
            log      consumer  committed  committed  [TIME]         run_[ID]
            inbox    producer  committed  committed  [TIME]         run_[ID]
            log      consumer  committed  committed  [TIME]         run_[ID]
            exit code 0

            $ windlass notifications
            There are no notifications.
            exit code 0

        "#]],
    );
}

#[test]
fn the_example_runs_once_whatever_is_repeated() {
    let folder = TestFolder::new();

    let first = folder.json("demo");
    let again = folder.json("demo");

    assert_eq!((&first["new_inputs"], &first["new_outputs"]), (&19.into(), &24.into()));
    assert_eq!((&again["new_inputs"], &again["new_outputs"]), (&0.into(), &0.into()));
    assert_eq!(first["lines"], again["lines"]);
    let next = again["next"][0]["command"].as_str().unwrap();
    assert_eq!(folder.call(next.strip_prefix("windlass ").unwrap()).code, 0);
}

#[test]
fn the_example_leaves_a_foreign_folder_alone() {
    let folder = TestFolder::new();
    folder.write("mine/notes.txt", "mine");
    folder.expect(
        &["demo --dir mine"],
        &expect![[r#"
        $ windlass demo --dir mine
        stderr:
        error: `[DIR]/mine` contains something else
        hint: name another folder with `--dir`
        exit code 1

    "#]],
    );
}
