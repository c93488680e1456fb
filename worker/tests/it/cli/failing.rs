//! Workflows that stopped, and what a person is told of them.

use expect_test::expect;

use crate::cli::folder::TestFolder;

/// A consumer that fails in the line of `BODY`.
fn script(body: &str) -> String {
    let script = r#"const workflow = {
  topics: { found: {} },
  producers: {
    inbox: {
      publishes: ["found"],
      schedule: { interval: "1h" },
      handler: async () => {
        const inputId = await Topics.registerInput({ source: "Files", type: "file", id: "a", title: "File a" });
        await Topics.publish({ topic: "found", event: { messageId: "a", payload: {}, inputId } });
      },
    },
  },
  consumers: {
    act: {
      subscribe: ["found"],
      onFailure: "stop",
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "found" });
        if (!event) return { reservations: [] };
        console.log("taking", event.messageId);
        return { reservations: [{ topic: "found", ids: [event.messageId] }], ui: { title: "Act on a" } };
      },
      mutate: async () => {
        BODY
      },
    },
  },
};
"#;
    script.replace("BODY", body)
}

#[test]
fn a_failing_script_waits_for_its_repair() {
    let folder = TestFolder::with_starter();
    let append = "await Files.append({ path: 'out/a.txt', line: 'a' });";
    folder.write("failing.js", script(&format!("null.nothing();\n        {append}")));
    folder.call("deploy failing.js --name failing --activate --yes");

    let ran = folder.call("run failing --json");

    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    folder.expect(&["status failing", "run failing", "notifications"], &expect![[r#"
        $ windlass status failing
        failing: Fixing
          its script failed and has to be repaired
          error         TypeError: Cannot read properties of null (reading 'nothing')
          handler       consumer act in phase mutating
          at            failing.js:24:14
          source        null.nothing();
          run           run_[ID]

          What to do
            windlass deploy FILE --name failing --fix --activate
                deploys a fixed version; what was reserved or already done is kept
            windlass resume failing
                tries the same version once more, where the cause was outside the script

        Version 1.0 runs
          may call      Files.append

        Handlers
          NAME   KIND      SCHEDULE  NEXT                 LAST
          inbox  producer  every 1h  [TIME]  [TIME]
          act    consumer  -         -                    [TIME]

        Events (1 input(s) pending)
          TOPIC  PENDING  RESERVED  CONSUMED  SKIPPED  PARKED
          found  1        0         0         0        0

        Last session
          id            ses_[ID]
          trigger       manual
          result        failed, 2 run(s)
          error         TypeError: Cannot read properties of null (reading 'nothing')
          began         [TIME]
        exit code 0

        $ windlass run failing
        stderr:
        error: `failing` does not run: its script failed and has to be repaired
        hint: `windlass status failing` says what to do
        exit code 3

        $ windlass notifications
        the script of `failing` has to be repaired [script failed]
          consumer `act` failed: TypeError: Cannot read properties of null (reading 'nothing'), at failing.js:24:14
          workflow      failing
          run           run_[ID]
          since         [TIME]
          id            ntf_[ID]
          what to do    windlass status failing
        exit code 0

    "#]]);

    folder.write("wider.js", script("await Files.write({ path: 'out/a.txt', text: 'a' });"));
    let wider = folder.call("deploy wider.js --name failing --fix --activate --yes");
    assert_eq!(wider.code, 1, "a repair is granted nothing new");
    assert!(wider.stderr.contains("cannot be granted `Files.write`"), "{}", wider.stderr);

    folder.write("mended.js", script(append));
    assert_eq!(folder.call("deploy mended.js --name failing --fix --activate").code, 0);
    assert_eq!(folder.call("run failing").code, 0);
    assert_eq!(folder.read("out/a.txt"), "a\n");
}

#[test]
fn a_refused_permission_says_what_to_grant() {
    let folder = TestFolder::with_starter();
    folder.write("outside.js", script("await Files.append({ path: 'secret/a.txt', line: 'a' });"));
    folder.call("deploy outside.js --name outside --activate --yes");

    assert_eq!(folder.call("run outside").code, 3);
    folder.expect(&["status outside", "resume outside"], &expect![[r#"
        $ windlass status outside
        outside: Needs attention
          it is not allowed to do what it wants: `secret/a.txt` is in no folder that scripts may use (`inbox`, `out`): begin the path with one of them, or add its folder to `[tools.files] roots`
          class         permission
          handler       consumer act in phase mutated
          at            outside.js:24:21
          source        await Files.append({ path: 'secret/a.txt', line: 'a' });
          run           run_[ID]

          What to do
            grant it: in the configuration (for example `[tools.files] roots`), with the script, or by accepting what a connector offers
            windlass resume outside
                then continues

        Version 1.0 runs
          may call      Files.append

        Handlers
          NAME   KIND      SCHEDULE  NEXT                 LAST
          inbox  producer  every 1h  [TIME]  [TIME]
          act    consumer  -         -                    [TIME]

        Events (1 input(s) pending)
          TOPIC  PENDING  RESERVED  CONSUMED  SKIPPED  PARKED
          found  1        0         0         0        0

        Last session
          id            ses_[ID]
          trigger       manual
          result        failed, 2 run(s)
          error         `secret/a.txt` is in no folder that scripts may use (`inbox`, `out`): begin the path with one of them, or add its folder to `[tools.files] roots`
          began         [TIME]
        exit code 0

        $ windlass resume outside
        `outside` is active now.
        `windlass status outside` shows its state.
        exit code 0

    "#]]);
}

#[test]
fn a_log_is_printed_and_a_followed_one_ends_with_its_run() {
    let folder = TestFolder::with_starter();
    folder.write("logging.js", script("return;"));
    folder.call("deploy logging.js --name logging --activate --yes");
    let ran = folder.json("run logging");
    // Of its first run and its last the consumer finds nothing to do.
    let act = ran["session"]["handler_runs"][2]["id"].as_str().unwrap();

    let (log, followed) =
        (folder.call(&format!("logs {act}")), folder.call(&format!("logs {act} --follow")));

    assert!(log.stdout.trim_end().ends_with("log   taking a"), "{}", log.stdout);
    assert_eq!(log.stdout, followed.stdout);
}
