//! `Files`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{FailureClass, LookupResult, Sent};
use windlass_tools::{FilesConfig, ToolsConfig, builtin};

use crate::world::{ABSENT, Notifications, World, link, paths};

#[tokio::test]
async fn a_folder_lists_its_files_by_path() {
    let world = World::new();
    world.put("inbox/b.eml", "12345");
    world.put("inbox/a.eml", "");
    world.put("inbox/c.txt", "");
    world.put("inbox/deeper/d.eml", "");

    let files = world.ok("Files.list", json!({"dir": "inbox", "pattern": "*.eml"})).await;

    assert_eq!(paths(&files), ["inbox/a.eml", "inbox/b.eml"]);
    assert_eq!(files[1]["name"], "b.eml");
    assert_eq!(files[1]["size"], 5);
    let modified = files[1]["modified"].as_str().unwrap();
    assert!(windlass_core::Timestamp::parse(modified).unwrap().as_micros() > 0, "{modified}");
}

#[tokio::test]
async fn a_folder_in_a_root_is_listed_by_its_own_path() {
    let world = World::new();
    world.put("inbox/deeper/d.eml", "");

    let files = world.ok("Files.list", json!({"dir": "./inbox//deeper/"})).await;

    assert_eq!(paths(&files), ["inbox/deeper/d.eml"]);
}

#[tokio::test]
async fn roots_may_be_nested_elsewhere_or_the_folder_of_the_configuration_itself() {
    let elsewhere = tempfile::tempdir().unwrap();
    let mail = elsewhere.path().join("mail");
    let world = World::with(&json!({"files": {"roots": [".", "data/in", mail]}}));
    world.put("a.txt", "here");
    world.put("data/in/b.txt", "below");
    std::fs::write(mail.join("c.txt"), "elsewhere").unwrap();

    for (path, text) in [("a.txt", "here"), ("data/in/b.txt", "below"), ("mail/c.txt", "elsewhere")]
    {
        assert_eq!(world.ok("Files.read", json!({"path": path})).await, json!({"text": text}));
    }
    assert_eq!(paths(&world.ok("Files.list", json!({"dir": "."})).await), ["a.txt"]);
}

#[tokio::test]
async fn a_root_that_was_replaced_is_the_new_folder_and_a_missing_one_is_reported() {
    let world = World::new();
    world.put("inbox/old.txt", "");
    std::fs::rename(world.path("inbox"), world.path("archive")).unwrap();

    let failure = world.refusal("Files.list", json!({"dir": "inbox"})).await;
    world.put("inbox/new.txt", "");
    let files = world.ok("Files.list", json!({"dir": "inbox"})).await;

    assert_eq!(failure.class, FailureClass::Internal);
    assert!(failure.message.contains("[tools.files] roots"), "{failure}");
    assert_eq!(paths(&files), ["inbox/new.txt"]);
}

#[tokio::test]
async fn the_place_of_an_effect_is_its_root_as_it_is_now() {
    let world = World::new();
    let inputs = [
        ("Files.append", json!({"path": "out/a.csv", "line": "a"})),
        ("Files.write", json!({"path": "out/deeper/a.txt", "text": "a"})),
        ("Files.delete", json!({"path": "out/a.txt"})),
    ];
    let places = async || {
        let mut places = Vec::new();
        for (name, input) in &inputs {
            let place = world.tool(name).place(input).await.unwrap().unwrap();
            assert_eq!(place.name, "folder `out`");
            places.push(place.identity);
        }
        assert!(places.iter().all(|it| *it == places[0]), "{places:?}");
        places.remove(0)
    };

    let first = places().await;
    world.put("out/a.txt", "");
    assert_eq!(places().await, first, "its contents do not matter");
    std::fs::rename(world.path("out"), world.path("old")).unwrap();
    std::fs::create_dir(world.path("out")).unwrap();
    let second = places().await;
    std::fs::remove_dir(world.path("out")).unwrap();
    let gone = world.tool("Files.append").place(&inputs[0].1).await;

    assert_ne!(second, first);
    assert!(gone.unwrap_err().message.contains("[tools.files] roots"));
}

#[tokio::test]
async fn a_root_that_was_replaced_after_the_ledger_row_was_written_is_not_changed() {
    let world = World::new();
    world.put("out/b.txt", "old");
    for (name, input) in [
        ("Files.append", json!({"path": "out/a.csv", "line": "a"})),
        ("Files.write", json!({"path": "out/a.txt", "text": "a"})),
        ("Files.delete", json!({"path": "out/b.txt"})),
    ] {
        let tool = world.tool(name);
        let (watch, call) = world.mutation_call(tool.as_ref(), input, || true).await;
        std::fs::rename(world.path("out"), world.path(name)).unwrap();
        world.put("out/b.txt", "other");

        let error = tool.mutate(call).await.unwrap_err();

        assert_eq!((error.sent, watch.close()), (Sent::No, false), "{error}");
        assert!(error.failure.message.contains("folder `out` was replaced"), "{error}");
        assert_eq!(std::fs::read_dir(world.path("out")).unwrap().count(), 1);
        assert_eq!(world.text("out/b.txt"), "other");
    }
}

#[tokio::test]
async fn a_pattern_that_is_none_is_refused() {
    let failure =
        World::new().refusal("Files.list", json!({"dir": "inbox", "pattern": "[a"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("`[a` is no pattern"), "{failure}");
}

#[tokio::test]
async fn a_missing_folder_is_the_scripts_mistake() {
    let failure = World::new().refusal("Files.list", json!({"dir": "inbox/nothing"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert_eq!(failure.message, "could not list `inbox/nothing`: it does not exist");
}

#[tokio::test]
async fn what_was_appended_is_read_back() {
    let world = World::new();

    let first = world.ok("Files.append", json!({"path": "out/new/a.csv", "line": "a,1"})).await;
    let second = world.ok("Files.append", json!({"path": "out/new/a.csv", "line": "b,22\n"})).await;

    assert_eq!(first, json!({"path": "out/new/a.csv", "bytes": 4, "size": 4}));
    assert_eq!(second, json!({"path": "out/new/a.csv", "bytes": 5, "size": 9}));
    let read = world.ok("Files.read", json!({"path": "out/new/a.csv"})).await;
    assert_eq!(read, json!({"text": "a,1\nb,22\n"}));
}

#[tokio::test]
async fn a_text_of_several_lines_is_not_appended() {
    let world = World::new();

    let failure = world.refusal("Files.append", json!({"path": "out/a.csv", "line": "a\nb"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(!world.path("out/a.csv").exists());
}

#[tokio::test]
async fn many_appends_at_once_leave_whole_lines() {
    let world = World::new();
    let line = |idx: usize| format!("line {idx} {}", "x".repeat(5_000));

    let calls = (0..40)
        .map(|idx| world.ok("Files.append", json!({"path": "out/a.txt", "line": line(idx)})));
    futures::future::join_all(calls).await;

    let text = world.text("out/a.txt");
    let mut found: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut expected: Vec<_> = (0..40).map(line).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_keyed_line_is_found_again() {
    let world = World::new();
    world.put("out/a.csv", "id-0,0\n");
    let input = json!({"path": "out/a.csv", "line": "id-1,5", "key": "id-1"});
    assert!(world.can_reconcile("Files.append", &input));
    assert_eq!(world.reconcile("Files.append", input.clone()).await, ABSENT);

    let answer = world.ok("Files.append", input.clone()).await;
    world.ok("Files.append", json!({"path": "out/a.csv", "line": "id-2,7"})).await;

    assert_eq!(world.reconcile("Files.append", input).await, LookupResult::Applied(answer));
}

#[tokio::test]
async fn a_line_that_another_contains_is_not_taken_for_it() {
    let world = World::new();
    world.put("out/a.csv", "x,id-1,5\nid-1,55\nid-1,");
    let input = json!({"path": "out/a.csv", "line": "id-1,5", "key": "id-1"});

    assert_eq!(world.reconcile("Files.append", input).await, ABSENT);
}

#[tokio::test]
async fn a_keyed_line_that_lacks_only_its_end_was_written() {
    let world = World::new();
    world.put("out/a.csv", "id-0,0\nid-1,5");
    let input = json!({"path": "out/a.csv", "line": "id-1,5", "key": "id-1"});

    assert!(matches!(world.reconcile("Files.append", input).await, LookupResult::Applied(_)));
    world.ok("Files.append", json!({"path": "out/a.csv", "line": "id-2,7"})).await;
    assert_eq!(world.text("out/a.csv"), "id-0,0\nid-1,5\nid-2,7\n");
}

#[tokio::test]
async fn a_line_torn_by_a_power_cut_is_absent_and_then_completed() {
    let world = World::new();
    world.put("out/a.csv", "id-0,0\nid-1");
    let input = json!({"path": "out/a.csv", "line": "id-1,5", "key": "id-1"});
    assert_eq!(world.reconcile("Files.append", input.clone()).await, ABSENT);

    let answer = world.ok("Files.append", input).await;

    assert_eq!(world.text("out/a.csv"), "id-0,0\nid-1,5\n");
    assert_eq!(answer, json!({"path": "out/a.csv", "bytes": 7, "size": 14}));
}

#[tokio::test]
async fn a_line_in_a_file_that_does_not_exist_was_not_written() {
    let input = json!({"path": "out/new/a.csv", "line": "id-1,5", "key": "id-1"});

    assert_eq!(World::new().reconcile("Files.append", input).await, ABSENT);
}

#[test]
fn equal_lines_prove_nothing_without_a_key_in_them() {
    let world = World::new();
    for input in [
        json!({"path": "out/a.csv", "line": "5 EUR"}),
        json!({"path": "out/a.csv", "line": "5 EUR", "key": null}),
        json!({"path": "out/a.csv", "line": "5 EUR", "key": ""}),
        json!({"path": "out/a.csv", "line": "5 EUR", "key": "message-7"}),
    ] {
        assert!(!world.can_reconcile("Files.append", &input), "{input}");
    }
}

#[tokio::test]
async fn a_file_that_someone_else_holds_is_not_touched() {
    let world = World::new().with_time_limit(Duration::from_millis(200));
    let path = world.put("out/a.csv", "a\n");
    let held = std::fs::File::open(path).unwrap();
    held.lock().unwrap();

    let failure = world.refusal("Files.append", json!({"path": "out/a.csv", "line": "b"})).await;

    assert_eq!(failure.class, FailureClass::Network);
    assert!(failure.message.contains("`out/a.csv`"), "{failure}");
    assert_eq!(world.text("out/a.csv"), "a\n");
    drop(held);
    // A disk that is busy may need longer than the time limit above.
    let world = world.with_time_limit(Duration::from_secs(20));
    world.ok("Files.append", json!({"path": "out/a.csv", "line": "b"})).await;
    assert_eq!(world.text("out/a.csv"), "a\nb\n");
}

#[tokio::test]
async fn a_call_that_may_still_be_at_work_is_not_declared_absent() {
    let world = World::new().with_time_limit(Duration::from_millis(200));
    let path = world.put("out/a.csv", "a\n");
    let held = std::fs::File::open(path).unwrap();
    held.lock().unwrap();
    let input = json!({"path": "out/a.csv", "line": "id-1", "key": "id-1"});

    assert!(matches!(world.reconcile("Files.append", input).await, LookupResult::Unknown(_)));
}

#[tokio::test]
async fn a_write_replaces_the_whole_file_and_nothing_else() {
    use std::os::unix::fs::PermissionsExt as _;

    let world = World::new();
    let path = world.put("out/a.txt", "a long text from before");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();

    let answer = world.ok("Files.write", json!({"path": "out/a.txt", "text": "new"})).await;

    assert_eq!(answer, json!({"path": "out/a.txt", "size": 3}));
    assert_eq!(world.text("out/a.txt"), "new");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_dir(world.path("out")).unwrap().count(), 1);
}

#[tokio::test]
async fn what_a_killed_write_left_is_hidden_and_used_again() {
    let world = World::new();
    world.put("out/.a.txt.windlass-tmp", "half a te");

    assert_eq!(world.ok("Files.list", json!({"dir": "out"})).await, json!([]));
    world.ok("Files.write", json!({"path": "out/a.txt", "text": "new"})).await;

    assert_eq!(paths(&world.ok("Files.list", json!({"dir": "out"})).await), ["out/a.txt"]);
    assert_eq!(std::fs::read_dir(world.path("out")).unwrap().count(), 1);
}

#[tokio::test]
async fn many_writes_at_once_leave_one_of_the_texts() {
    let world = World::new();
    let text = |idx: usize| idx.to_string().repeat(20_000);

    let calls =
        (0..9).map(|idx| world.ok("Files.write", json!({"path": "out/a.txt", "text": text(idx)})));
    futures::future::join_all(calls).await;

    let left = world.text("out/a.txt");
    assert!((0..9).any(|idx| left == text(idx)));
}

#[tokio::test]
async fn a_line_is_not_lost_to_a_write_at_the_same_time() {
    let world = World::new();
    for idx in 0..30 {
        let path = format!("out/{idx}.txt");
        let append = world.ok("Files.append", json!({"path": path, "line": "line"}));
        let write = world.ok("Files.write", json!({"path": path, "text": "text\n"}));

        tokio::join!(append, write);

        // Either the line came first and was replaced, or it follows the text.
        assert!(["text\n", "text\nline\n"].contains(&world.text(&path).as_str()));
    }
}

#[tokio::test]
async fn a_write_is_found_again_by_its_text() {
    let world = World::new();
    let input = json!({"path": "out/a.txt", "text": "new"});
    assert!(world.can_reconcile("Files.write", &input));
    assert_eq!(world.reconcile("Files.write", input.clone()).await, ABSENT);

    let answer = world.ok("Files.write", input.clone()).await;

    assert_eq!(world.reconcile("Files.write", input.clone()).await, LookupResult::Applied(answer));
    world.put("out/a.txt", "newer");
    assert_eq!(world.reconcile("Files.write", input).await, ABSENT);
}

#[tokio::test]
async fn a_folder_is_not_replaced_by_a_file() {
    let world = World::new();
    world.put("out/a/b.txt", "");

    let failure = world.refusal("Files.write", json!({"path": "out/a", "text": "new"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert_eq!(failure.message, "could not write `out/a`: it is a folder, not a file");
    assert!(world.path("out/a/b.txt").exists());
}

#[tokio::test]
async fn a_deleted_file_is_gone_and_the_deletion_is_found_again() {
    let world = World::new();
    world.put("inbox/a.txt", "");
    let input = json!({"path": "inbox/a.txt"});
    assert!(world.can_reconcile("Files.delete", &input));
    assert_eq!(world.reconcile("Files.delete", input.clone()).await, ABSENT);

    let answer = world.ok("Files.delete", input.clone()).await;

    assert!(!world.path("inbox/a.txt").exists());
    assert_eq!(world.reconcile("Files.delete", input).await, LookupResult::Applied(answer));
}

#[tokio::test]
async fn deleting_nothing_is_a_definite_failure() {
    let failure = World::new().refusal("Files.delete", json!({"path": "inbox/a.txt"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert_eq!(failure.message, "could not delete `inbox/a.txt`: it does not exist");
}

#[tokio::test]
async fn lines_are_found_with_their_numbers() {
    let world = World::new();
    world.put("inbox/b.csv", "x\r\nid-1,5\r\n");
    world.put("inbox/a.csv", b"id-1\nID-1\n\xff id-1");
    world.put("inbox/c.txt", "id-1");

    let found =
        world.ok("Files.search", json!({"dir": "inbox", "text": "id-1", "pattern": "*.csv"})).await;

    assert_eq!(
        found,
        json!([
            {"path": "inbox/a.csv", "line": 1, "text": "id-1"},
            {"path": "inbox/a.csv", "line": 3, "text": "\u{fffd} id-1"},
            {"path": "inbox/b.csv", "line": 2, "text": "id-1,5"},
        ])
    );
}

#[tokio::test]
async fn a_search_that_finds_too_much_says_so() {
    let world = World::with(&json!({"files": {"roots": ["inbox"], "max_read_mib": 1}}));
    world.put("inbox/a.txt", format!("{}\n", "x".repeat(1_000)).repeat(1_100));

    let failure = world.refusal("Files.search", json!({"dir": "inbox", "text": "x"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("too many lines contain `x`"), "{failure}");
}

#[tokio::test]
async fn a_file_that_is_no_text_is_named_with_the_byte() {
    let world = World::new();
    world.put("inbox/a.txt", b"abc\xff\xfe");

    let failure = world.refusal("Files.read", json!({"path": "inbox/a.txt"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(
        failure.message.contains("`inbox/a.txt`") && failure.message.contains("offset 3"),
        "{failure}"
    );
}

#[tokio::test]
async fn a_file_that_is_too_large_is_not_read() {
    let world = World::with(&json!({"files": {"roots": ["inbox"], "max_read_mib": 1}}));
    world.put("inbox/just.txt", "x".repeat(1024 * 1024));
    world.put("inbox/over.txt", "x".repeat(1024 * 1024 + 1));

    world.ok("Files.read", json!({"path": "inbox/just.txt"})).await;
    let failure = world.refusal("Files.read", json!({"path": "inbox/over.txt"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("[tools.files] max_read_mib"), "{failure}");
}

#[tokio::test]
async fn a_pipe_is_refused_at_once() {
    let world = World::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.path("inbox/pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();

    for (name, input) in [
        ("Files.read", json!({"path": "inbox/pipe"})),
        ("Files.append", json!({"path": "inbox/pipe", "line": "a"})),
    ] {
        let failure = world.refusal(name, input).await;
        assert_eq!(failure.class, FailureClass::Logic, "{failure}");
    }
    assert_eq!(world.ok("Files.list", json!({"dir": "inbox"})).await, json!([]));
}

#[tokio::test]
async fn a_name_that_no_script_can_write_is_listed_with_its_problem() {
    use std::os::unix::ffi::OsStrExt as _;

    let world = World::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.eml");
    std::fs::write(world.path("inbox").join(name), "total 7").unwrap();
    world.put("inbox/plain.eml", "total 8");

    let listed = world.ok("Files.list", json!({"dir": "inbox", "pattern": "*.eml"})).await;
    assert_eq!(paths(&listed), ["inbox/caf\u{fffd}.eml", "inbox/plain.eml"]);
    assert_eq!(listed[0]["problem"], "its name is not UTF-8: rename it");
    assert_eq!(listed[1].get("problem"), None);

    let found = world.ok("Files.search", json!({"dir": "inbox", "text": "total"})).await;
    assert_eq!(paths(&found), paths(&listed), "it is searched like the others");
}

/// Tools whose roots are these, where no script may use `protected`.
fn guarded(dir: &Path, root: &str, protected: &[&str]) -> Result<(), String> {
    let files = FilesConfig {
        roots: vec![root.to_owned()],
        protected: protected.iter().map(|path| dir.join(path)).collect(),
        ..FilesConfig::default()
    };
    let config = ToolsConfig { files, ..ToolsConfig::default() };
    let tools = builtin(&config, &Arc::default(), dir, Arc::<Notifications>::default());
    tools.map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_root_holds_no_configuration_no_state_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for folder in ["out", "etc/keys", "state/workers"] {
        std::fs::create_dir_all(dir.join(folder)).unwrap();
    }
    std::fs::write(dir.join("windlass.toml"), "").unwrap();
    std::fs::write(dir.join("etc/keys/shop"), "").unwrap();
    link("../etc/keys/shop".as_ref(), &dir.join("out/shop"));
    link("etc".as_ref(), &dir.join("linked"));

    for (root, protected) in [
        (".", "windlass.toml"),
        (".", "state/not/there/yet.db"),
        ("etc", "etc/keys/shop"),
        ("linked", "etc/keys/shop"),
        ("etc", "linked/keys/shop"),
        ("etc", "out/shop"),
        ("out", "out/shop"),
        ("state/workers", "state"),
    ] {
        let refused = guarded(dir, root, &[protected]).unwrap_err();
        assert!(refused.contains("name the folders"), "{root} with {protected}: {refused}");
    }
    guarded(dir, "out", &["windlass.toml", "state", "etc/keys/shop", "output"]).unwrap();
}

#[tokio::test]
async fn what_no_script_may_use_is_refused_under_any_name() {
    let world = World::with_protected(&["windlass.toml"]);
    let config = world.put("windlass.toml", "secret");
    for name in ["inbox/hard.txt", "inbox/.hard.txt", "out/HARD.TXT"] {
        std::fs::hard_link(&config, world.path(name)).unwrap();
    }
    link("hard.txt".as_ref(), &world.path("inbox/soft.txt"));

    for path in ["inbox/hard.txt", "inbox/soft.txt", "inbox/.hard.txt", "out/HARD.TXT"] {
        for (name, input) in calls_with(path) {
            if matches!(name, "Files.list" | "Files.search") {
                continue;
            }
            let failure = world.refusal(name, input).await;
            assert_eq!(failure.class, FailureClass::Permission, "{name} {path}: {failure}");
        }
    }
    assert_eq!(world.ok("Files.list", json!({"dir": "inbox"})).await, json!([]));
    let found = world.ok("Files.search", json!({"dir": "inbox", "text": "secret"})).await;
    assert_eq!(found, json!([]));
    assert_eq!(std::fs::read_to_string(config).unwrap(), "secret");
}

#[tokio::test]
async fn a_file_with_another_name_is_not_changed_under_that_name() {
    let world = World::new();
    let outside = world.put("elsewhere/book.csv", "a\n");
    std::fs::hard_link(&outside, world.path("out/book.csv")).unwrap();
    std::fs::hard_link(&outside, world.path("out/.new.csv.windlass-tmp")).unwrap();

    for (name, input) in [
        ("Files.append", json!({"path": "out/book.csv", "line": "b"})),
        ("Files.write", json!({"path": "out/new.csv", "text": "b"})),
    ] {
        let failure = world.refusal(name, input).await;
        assert_eq!(failure.class, FailureClass::Permission, "{failure}");
        assert!(failure.message.contains("hard link"), "{failure}");
    }
    world.ok("Files.write", json!({"path": "out/book.csv", "text": "b"})).await;
    assert_eq!(world.text("elsewhere/book.csv"), "a\n", "another file has taken its place");
}

/// Every call that takes a path, with this one.
fn calls_with(path: &str) -> [(&'static str, Value); 7] {
    [
        ("Files.list", json!({"dir": path})),
        ("Files.search", json!({"dir": path, "text": "secret"})),
        ("Files.read", json!({"path": path})),
        ("Mail.parse", json!({"path": path})),
        ("Files.append", json!({"path": path, "line": "harm"})),
        ("Files.write", json!({"path": path, "text": "harm"})),
        ("Files.delete", json!({"path": path})),
    ]
}

#[tokio::test]
async fn paths_that_leave_the_folders_are_refused() {
    let world = World::new();
    let secret = world.put("secret.txt", "secret");

    for path in [
        secret.to_str().unwrap(),
        "secret.txt",
        "../secret.txt",
        "inbox/../secret.txt",
        "inbox/./../secret.txt",
        "inbox/deeper/../../secret.txt",
        "inbox/a\0b",
        "..",
        "",
        "/",
    ] {
        for (name, input) in calls_with(path) {
            let failure = world.refusal(name, input).await;
            let class = failure.class;
            assert!(
                [FailureClass::Logic, FailureClass::Permission].contains(&class),
                "{name} {path}: {failure}"
            );
        }
    }
    assert_eq!(world.text("secret.txt"), "secret");
}

#[tokio::test]
async fn a_folder_that_is_not_configured_is_named_with_the_setting() {
    let failure = World::new().refusal("Files.read", json!({"path": "home/a.txt"})).await;

    assert_eq!(failure.class, FailureClass::Permission);
    assert!(failure.message.contains("[tools.files] roots"), "{failure}");
    assert!(failure.message.contains("`inbox`") && failure.message.contains("`out`"), "{failure}");
}

#[tokio::test]
async fn links_that_lead_out_are_not_followed() {
    let world = World::new();
    let secret = world.put("elsewhere/secret.txt", "secret");
    link(&secret, &world.path("inbox/absolute.txt"));
    link("../elsewhere/secret.txt".as_ref(), &world.path("inbox/relative.txt"));
    link(secret.parent().unwrap(), &world.path("inbox/folder"));
    link(&world.path("elsewhere/made.txt"), &world.path("inbox/nowhere.txt"));

    for (name, input) in [
        ("Files.read", json!({"path": "inbox/absolute.txt"})),
        ("Files.read", json!({"path": "inbox/relative.txt"})),
        ("Files.read", json!({"path": "inbox/folder/secret.txt"})),
        ("Files.list", json!({"dir": "inbox/folder"})),
        ("Files.search", json!({"dir": "inbox/folder", "text": "secret"})),
        ("Files.append", json!({"path": "inbox/absolute.txt", "line": "harm"})),
        ("Files.append", json!({"path": "inbox/folder/new.txt", "line": "harm"})),
        ("Files.append", json!({"path": "inbox/nowhere.txt", "line": "harm"})),
        ("Files.write", json!({"path": "inbox/absolute.txt", "text": "harm"})),
        ("Files.write", json!({"path": "inbox/folder/secret.txt", "text": "harm"})),
        ("Files.delete", json!({"path": "inbox/folder/secret.txt"})),
    ] {
        let failure = world.refusal(name, input.clone()).await;
        assert_eq!(failure.class, FailureClass::Permission, "{name} {input}: {failure}");
    }
    assert_eq!(world.ok("Files.list", json!({"dir": "inbox"})).await, json!([]));
    assert_eq!(world.text("elsewhere/secret.txt"), "secret");
    assert_eq!(std::fs::read_dir(world.path("elsewhere")).unwrap().count(), 1);
}

#[tokio::test]
async fn links_inside_a_root_are_followed() {
    let world = World::new();
    world.put("inbox/a.txt", "text");
    link("a.txt".as_ref(), &world.path("inbox/b.txt"));

    assert_eq!(
        world.ok("Files.read", json!({"path": "inbox/b.txt"})).await,
        json!({"text": "text"})
    );
    assert_eq!(
        paths(&world.ok("Files.list", json!({"dir": "inbox"})).await),
        ["inbox/a.txt", "inbox/b.txt"]
    );
}

#[tokio::test]
async fn a_failed_mutation_says_that_nothing_happened() {
    let world = World::new();
    world.put("out/file", "");

    let error = world
        .call("Files.append", json!({"path": "out/file/a.csv", "line": "a"}))
        .await
        .unwrap_err();

    assert_eq!((error.sent, error.failure.class), (Sent::No, FailureClass::Logic), "{error}");
}

#[test]
fn a_root_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = ToolsConfig {
        files: FilesConfig { roots: vec!["inbox".to_owned()], ..FilesConfig::default() },
        ..Default::default()
    };

    let error =
        builtin(&config, &Arc::default(), dir.path(), Arc::<Notifications>::default()).unwrap_err();

    assert!(error.to_string().contains("`[tools.files] roots` names as `inbox`"), "{error}");
}

#[tokio::test]
async fn a_path_that_no_file_can_have_is_the_scripts_fault() {
    let world = World::new();
    link("loop".as_ref(), &world.path("inbox/loop"));

    for path in ["inbox/a\0b", "inbox/loop"] {
        for (name, input) in [
            ("Files.read", json!({"path": path})),
            ("Files.write", json!({"path": path, "text": ""})),
            ("Files.append", json!({"path": path, "line": "a"})),
        ] {
            let failure = world.refusal(name, input).await;
            assert_eq!(failure.class, FailureClass::Logic, "{name} {path:?}: {failure}");
        }
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_is_left_out_and_harms_no_other() {
    let world = World::with(&json!({"files": {"roots": ["inbox"], "max_read_mib": 1}}));
    world.put("inbox/dump.bin", format!("needle {}", "x".repeat(2 * 1024 * 1024)));
    world.put("inbox/list.txt", format!("{}\na needle\n", "needle ".repeat(200_000)));

    let found = world.ok("Files.search", json!({"dir": "inbox", "text": "needle"})).await;

    let expected = json!([{"path": "inbox/list.txt", "line": 2, "text": "a needle"}]);
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_line_is_found_behind_one_without_an_end() {
    let world = World::new();
    let long = "x".repeat(3 * 1024 * 1024);
    world.put("out/list.txt", format!("{long}\nkey 1\nkey 1{long}"));

    let input = json!({"path": "out/list.txt", "line": "key 1", "key": "key 1"});
    let found = world.reconcile("Files.append", input).await;

    let size = long.len() + 7;
    let expected = json!({"path": "out/list.txt", "bytes": 6, "size": size});
    assert_eq!(found, LookupResult::Applied(expected));
}
