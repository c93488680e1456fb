//! The journal from the command line.

use std::io::Write as _;
use std::process::Stdio;

use expect_test::expect;
use serde_json::json;

use super::client::trip;
use crate::cli::folder::TestFolder;

/// An execution of a trip that an agent began. Returns its id.
fn begun(folder: &TestFolder) -> String {
    folder.write("trip.json", trip().to_string());
    let plan = folder.json("journal record trip.json")["plan_id"].as_str().unwrap().to_owned();
    let started = folder.json(&format!("journal start {plan} --notes quickly --as agent:ada"));
    started["execution_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_person_records_what_an_agent_does() {
    let folder = TestFolder::new();
    let execution = begun(&folder);
    let step = format!("journal step {execution}");

    folder.expect(
        &[
            &format!("{step} flight completed --result {{\"booking\":\"X7\"}} --as agent:ada"),
            &format!("{step} mail running --as agent:ada"),
            &format!("{step} hotel running"),
            &format!("{step} hotel failed --error full --as agent:ada"),
            &format!("journal decide {execution} stop --reason full --as agent:ada"),
            &format!(
                "journal act {execution} --type rolled_back --description cancelled --step flight"
            ),
        ],
        &expect![[r#"
            $ windlass journal step exec_[ID] flight completed --result {"booking":"X7"} --as agent:ada
            flight (1/3 steps): The step is done. The next one is `hotel`.
            exit code 0

            $ windlass journal step exec_[ID] mail running --as agent:ada
            stderr:
            error: step `mail` cannot be running yet: step `hotel` before it is pending, and steps are done in order
            hint: record that step first, or decide to stop the execution
            exit code 1

            $ windlass journal step exec_[ID] hotel running
            stderr:
            error: execution `exec_[ID]` belongs to `agent:ada`, and `user:tester` cannot record its steps
            hint: record as its lead: `--as agent:ada`
            exit code 1

            $ windlass journal step exec_[ID] hotel failed --error full --as agent:ada
            hotel (1/3 steps): The step failed, and the execution with it. The steps after it are pending: consult the failure policy, record your decision, and record what you undo.
              policy        {"propagate_to":["mail"],"action":"cancel_dependent","reason":"no bed, no trip"}
              affects       mail
            exit code 0

            $ windlass journal decide exec_[ID] stop --reason full --as agent:ada
            The decision is recorded. The execution was failed before and stays so. Nothing was undone: undo what you want to undo of `undo_candidates`, in their order, and record each undo with an action of type `rolled_back` or `cleaned_up`.
              reversible    flight (book_flight)
            exit code 0

            $ windlass journal act exec_[ID] --type rolled_back --description cancelled --step flight
            jnl_[ID]: The action is recorded. Nothing else changed.
            exit code 0

        "#]],
    );
}

#[test]
fn a_person_reads_what_an_agent_did() {
    let folder = TestFolder::new();
    let execution = begun(&folder);
    for line in [
        &format!(
            "step {execution} flight completed --result {{\"booking\":\"X7\"}} --as agent:ada"
        ),
        &format!("step {execution} hotel failed --error full --as agent:ada"),
        &format!("decide {execution} stop --reason full --as agent:ada"),
        &format!("act {execution} --type rolled_back --description cancelled --step flight"),
    ] {
        assert_eq!(folder.call(&format!("journal {line}")).code, 0, "{line}");
    }

    folder.expect(
        &[
            &format!("journal show {execution} --steps --events"),
            "journal history --status failed",
            "journal clean",
        ],
        &expect![[r#"
            $ windlass journal show exec_[ID] --steps --events
            exec_[ID]: 1/3 steps of `A trip`: failed
              plan          plan_[ID]
              lead          agent:ada
              notes         quickly
              began         [TIME]
              ended         [TIME]
              because       step `hotel` failed

            Steps
            STEP    STATUS     TOOL         CANCELLABLE           OUTCOME
            flight  completed  book_flight  reversible            {"booking":"X7"}
            hotel   failed     book_hotel   partially-reversible  full
            mail    pending    send_mail    irreversible          -

            Events
            SEQ  AT                   WHAT               STEP    BY           WHY
            1    [TIME]  execution_started  -       agent:ada    -
            2    [TIME]  step_started       flight  agent:ada    -
            3    [TIME]  step_completed     flight  agent:ada    -
            4    [TIME]  step_started       hotel   agent:ada    -
            5    [TIME]  step_failed        hotel   agent:ada    full
            6    [TIME]  execution_failed   -       windlass     node `hotel` failed: tool-error
            7    [TIME]  decision_recorded  -       agent:ada    full
            8    [TIME]  action_taken       flight  user:tester  cancelled
            exit code 0

            $ windlass journal history --status failed
            BEGAN                STATUS  PROGRESS   PLAN    LEAD       ID
            [TIME]  failed  1/3 steps  A trip  agent:ada  exec_[ID]
            1 of 1 execution(s).
            exit code 0

            $ windlass journal clean
            0 execution(s) and 0 plan(s) would be removed.
            exit code 0

        "#]],
    );
}

#[test]
fn an_unknown_id_is_told_with_what_to_do() {
    let folder = TestFolder::new();

    folder.expect(
        &["journal show exec_00000000000000000000000000000000", "journal start plan_x"],
        &expect![[r#"
            $ windlass journal show exec_[ID]
            stderr:
            error: execution not found: there is no execution `exec_[ID]`
            hint: `windlass journal history` lists those that there are
            exit code 1

            $ windlass journal start plan_x
            stderr:
            error: plan not found: there is no plan `plan_x`
            hint: `windlass journal record FILE` records one and prints its id
            exit code 1

        "#]],
    );
}

#[test]
fn nothing_pauses_what_an_agent_does() {
    let folder = TestFolder::new();
    let execution = begun(&folder);
    let plan = folder.json("journal history")["executions"][0]["plan_id"].clone();
    let plan = plan.as_str().unwrap().to_owned();

    for id in [&execution, &plan] {
        for verb in ["pause", "resume", "archive"] {
            let refused = folder.call(&format!("{verb} {id}"));
            assert_eq!(refused.code, 1, "{}", refused.stdout);
            let said = format!("error: `{id}` is of the journal: its agent carries it out");
            assert!(refused.stderr.contains(&said), "{}", refused.stderr);
            assert!(refused.stderr.contains("windlass journal decide"), "{}", refused.stderr);
        }
    }
    assert_eq!(folder.json(&format!("journal show {execution}"))["status"], "running");
}

#[test]
fn a_plan_comes_from_stdin_and_a_bad_one_is_refused() {
    let folder = TestFolder::new();
    let record = |plan: &str| {
        let mut command = folder.command("journal record - --json");
        let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        program.stdin.take().unwrap().write_all(plan.as_bytes()).unwrap();
        let output = program.wait_with_output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), answer)
    };

    let (done, recorded) = record(&json!({ "plan": trip() }).to_string());
    let (wrong, refused) = record(
        r#"{"name": "twice", "steps": [{"id": "a", "name": "A", "tool": "t"}, {"id": "a", "name": "A", "tool": "t"}]}"#,
    );
    let (unreadable, told) = record("{}");

    assert_eq!((done, &recorded["steps_count"]), (Some(0), &json!(3)));
    assert_eq!((wrong, &refused["error"]["code"]), (Some(2), &json!("invalid_plan")));
    assert_eq!((unreadable, &told["error"]["code"]), (Some(2), &json!("usage")));
    assert!(told["error"]["message"].as_str().unwrap().contains("missing field"), "{told}");
}

#[test]
fn parts_of_ids_are_enough() {
    let folder = TestFolder::new();
    folder.write("trip.json", trip().to_string());
    let plan = folder.json("journal record trip.json")["plan_id"].as_str().unwrap().to_owned();

    let started = folder.json(&format!("journal start {}", &plan[..25]));
    let execution = started["execution_id"].as_str().unwrap();
    let shown = folder.json(&format!("journal show {}", &execution[execution.len() - 8..]));
    let stored = folder.json(&format!("journal show {}", execution.replace("exec_", "ses_")));

    assert_eq!(shown["execution_id"], execution);
    assert_eq!(stored["execution_id"], execution);
    assert_eq!(shown["lead"], "user:tester");
}
