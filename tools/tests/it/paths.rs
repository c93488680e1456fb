//! Whatever path a script comes up with, it stays in the folders of the configuration.

use proptest::prelude::*;
use serde_json::json;

use crate::world::{World, link};

const SECRET: &str = "secret";

/// A root with files, folders, and links to what lies beside it.
fn world_with_traps() -> World {
    let world = World::new();
    let secret = world.put("beside/secret.txt", SECRET);
    world.put("secret.txt", SECRET);
    world.put("inbox/a", "harmless");
    world.put("inbox/d/a", "harmless");
    link(&secret, &world.path("inbox/out-file"));
    link(secret.parent().unwrap(), &world.path("inbox/out-dir"));
    link("../../beside".as_ref(), &world.path("inbox/d/up"));
    link("d".as_ref(), &world.path("inbox/in-dir"));
    link("out-dir".as_ref(), &world.path("inbox/twice"));
    world
}

const PARTS: &[&str] = &[
    "inbox",
    "out",
    "a",
    "d",
    "up",
    "out-file",
    "out-dir",
    "in-dir",
    "twice",
    "secret.txt",
    "beside",
    "new",
    "..",
    ".",
    "",
    "…",
    " ",
    "\\..\\",
    "%2e%2e",
    "~",
];

fn path() -> impl Strategy<Value = String> {
    let first = prop::sample::select(&["inbox/", "inbox/", "inbox/", "out/", "", "/"][..]);
    let parts = prop::collection::vec(prop::sample::select(PARTS), 0..6);
    (first, parts).prop_map(|(first, parts)| format!("{first}{}", parts.join("/")))
}

/// Passes the path to every tool; nothing that they answer may come from beside the roots.
async fn try_all(world: &World, path: &str) -> Result<(), TestCaseError> {
    for (name, input) in [
        ("Files.read", json!({"path": path})),
        ("Files.search", json!({"dir": path, "text": SECRET})),
        ("Files.list", json!({"dir": path})),
        ("Files.append", json!({"path": path, "line": "harm"})),
        ("Files.write", json!({"path": path, "text": "harm"})),
        ("Files.delete", json!({"path": path})),
    ] {
        if let Ok(answer) = world.call(name, input).await {
            let answer = answer.to_string();
            let shows_secret = answer.replace("secret.txt", "").contains(SECRET);
            prop_assert!(!shows_secret, "{} {}: {}", name, path, answer);
            prop_assert!(
                !answer.contains("secret.txt") || path.contains("secret.txt"),
                "{} {}: {}",
                name,
                path,
                answer
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(50) })]

    #[test]
    fn no_path_reaches_what_is_beside_the_roots(paths in prop::collection::vec(path(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = world_with_traps();

        for path in paths {
            runtime.block_on(try_all(&world, &path))?;
        }

        prop_assert_eq!(world.text("beside/secret.txt"), SECRET);
        prop_assert_eq!(world.text("secret.txt"), SECRET);
        prop_assert_eq!(std::fs::read_dir(world.path("beside")).unwrap().count(), 1);
        prop_assert_eq!(std::fs::read_dir(world.path(".")).unwrap().count(), 4);
    }
}
