//! Configurations and databases that cannot be used.

use expect_test::expect;

use crate::cli::folder::TestFolder;

#[test]
fn a_bad_key_is_shown_where_it_stands() {
    let folder = TestFolder::new();
    folder.write("windlass.toml", "[tools.files]\nrots = [\"inbox\"]\n");
    folder.expect(&["list", "list --json", "doctor"], &expect![[r#"
        $ windlass list
        stderr:
        error: cannot use the configuration `[DIR]/windlass.toml:2:1`: unknown field `rots`, expected `roots` or `max_read_mib`
        hint: did you mean `roots`?
        exit code 2

        $ windlass list --json
        {
          "error": {
            "code": "config",
            "message": "cannot use the configuration `[DIR]/windlass.toml:2:1`: unknown field `rots`, expected `roots` or `max_read_mib`",
            "hint": "did you mean `roots`?"
          }
        }
        exit code 2

        $ windlass doctor
        FAIL  configuration  cannot use the configuration `[DIR]/windlass.toml:2:1`: unknown field `rots`, expected `roots` or `max_read_mib`; nothing else was checked
                             did you mean `roots`?
        exit code 1

    "#]]);
}

#[test]
fn a_configuration_that_is_not_there_is_wrong_usage() {
    TestFolder::new().expect(
        &["list --config other.toml"],
        &expect![[r#"
        $ windlass list --config other.toml
        stderr:
        error: cannot read the configuration `[DIR]/other.toml`
          caused by: No such file or directory (os error 2)
        hint: check the path after `--config`
        exit code 2

    "#]],
    );
}

#[test]
fn an_unknown_kind_of_database_is_wrong_usage() {
    TestFolder::new().expect(
        &["list --database mysql://localhost/x"],
        &expect![[r#"
        $ windlass list --database mysql://localhost/x
        stderr:
        error: cannot use a database of the kind `mysql`
        hint: name one as `sqlite:PATH` or `postgres://…`
        exit code 2

    "#]],
    );
}

#[test]
fn a_file_that_is_no_database_is_told_from_an_empty_one() {
    let folder = TestFolder::new();
    folder
        .write("garbage.db", "this is a text, and a rather long one, but certainly no database\n");
    folder.expect(&["list --database sqlite:garbage.db"], &expect![[r#"
        $ windlass list --database sqlite:garbage.db
        stderr:
        error: the database is damaged or no database at all: `[DIR]/garbage.db`: file is not a database; restore it from a copy, or name another file
        exit code 1

    "#]]);
    let found = folder.json("doctor --database sqlite:garbage.db");
    let database = found["checks"].as_array().unwrap().iter().find(|it| it["name"] == "database");
    assert_eq!(database.unwrap()["verdict"], "fail");
    assert_eq!(found["ok"], false);
    assert!(folder.read("garbage.db").starts_with("this is a text"));
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let called =
        TestFolder::new().call("list --database postgres://me:secret@127.0.0.1:1/windlass --json");

    assert_eq!(called.code, 1);
    assert!(called.stdout.contains("database_unavailable"), "{}", called.stdout);
    assert!(!called.stdout.contains("secret"), "{}", called.stdout);
}

#[test]
fn relative_paths_start_from_the_configuration() {
    let folder = TestFolder::new();
    assert_eq!(folder.call("init sub").code, 0);

    let deployed =
        folder.call("deploy sub/workflow.js --name notes --config sub/windlass.toml --yes");

    assert_eq!(deployed.code, 0, "{}", deployed.stderr);
    assert!(folder.path("sub/.windlass/windlass.db").exists());
    assert!(!folder.path(".windlass").exists());
}

#[test]
fn a_healthy_deployment_has_a_clean_bill() {
    let folder = TestFolder::with_starter();

    let found = folder.json("doctor");

    let names: Vec<_> = found["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| format!("{} {}", check["name"], check["verdict"]).replace('"', ""))
        .collect();
    assert_eq!(
        names,
        ["configuration ok", "tools ok", "database ok", "disk ok", "v8 ok", "clock ok"]
    );
    assert_eq!(found["ok"], true);
}

#[test]
fn a_root_that_is_missing_stops_a_worker_and_is_not_made() {
    let folder = TestFolder::with_starter();
    assert_eq!(folder.call("deploy workflow.js --name notes --activate --yes").code, 0);
    folder.write("windlass.toml", "[tools.files]\nroots = [\"unmounted\"]\n");

    for line in ["run notes", "up", "run notes --dry-run"] {
        let refused = folder.call(line);

        assert_ne!(refused.code, 0, "{line}");
        assert!(
            refused.stderr.contains("`[tools.files] roots` names as `unmounted`"),
            "{line}: {}",
            refused.stderr
        );
    }
    let found = folder.json("doctor");
    let tools = found["checks"].as_array().unwrap().iter().find(|check| check["name"] == "tools");
    assert_eq!(tools.unwrap()["verdict"], "fail");
    assert!(!folder.path("unmounted").exists());
}
