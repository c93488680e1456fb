//! Saving script versions.

use windlass_core::WorkflowStatus;
use windlass_store::Bump;

use crate::world::{TestStore, World, lone_consumer, pipeline};

pub async fn the_first_save_makes_a_ready_workflow(test_store: TestStore) {
    let world = World::empty(test_store).await;

    let saved = world.save("mail", "// one", pipeline(), Bump::Major).await;

    let workflow = world.store.find_workflow(world.workspace, "mail").await.unwrap();
    assert!(saved.is_new);
    assert_eq!(saved.script.version(), "1.0");
    assert_eq!(saved.script.workflow_id, workflow.id);
    assert_eq!(workflow.status, WorkflowStatus::Ready);
    assert_eq!(workflow.active_script_id, None);
    assert_eq!(world.store.enqueue_due(10).await.unwrap(), 0);
}

pub async fn the_text_of_the_newest_version_makes_no_other(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let first = world.save("mail", "// one", pipeline(), Bump::Major).await.script;

    let again = world.save("mail", "// one", pipeline(), Bump::Major).await;

    assert!(!again.is_new);
    assert_eq!(again.script, first);
    assert_eq!(world.store.all_scripts(world.workspace, first.workflow_id).await.unwrap().len(), 1);
}

pub async fn a_plan_counts_the_major_and_a_repair_the_minor_version(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut versions = Vec::new();

    for (source, bump) in
        [("// 1", Bump::Minor), ("// 2", Bump::Minor), ("// 3", Bump::Major), ("// 4", Bump::Minor)]
    {
        versions.push(world.save("mail", source, pipeline(), bump).await.script.version());
    }

    assert_eq!(versions, ["1.0", "1.1", "2.0", "2.1"]);
}

pub async fn a_repair_counts_after_what_runs_though_a_newer_plan_waits(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let plan = world.save("mail", "// plan", pipeline(), Bump::Major).await.script;

    let repair = world.save("mail", "// repair", pipeline(), Bump::Minor).await.script;
    let second = world.save("mail", "// second repair", pipeline(), Bump::Minor).await.script;

    assert_eq!(plan.version(), "2.0");
    assert_eq!(repair.version(), "1.1");
    assert_eq!(second.version(), "1.2");
}

pub async fn saving_changes_nothing_that_runs(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let before = world.current().await;
    let queued = world.open_run().await.unwrap();

    world.save("mail", "// other", lone_consumer(), Bump::Major).await;

    assert_eq!(world.current().await, before);
    assert_eq!(world.open_run().await.unwrap(), queued);
    assert_eq!(world.store.handlers(world.workspace, world.workflow).await.unwrap().len(), 3);
}

pub async fn a_saved_version_is_read_back_whole(test_store: TestStore) {
    let world = World::empty(test_store).await;

    let saved =
        world.save("mail", "const workflow = 'ä\u{1F4E8}\\'", pipeline(), Bump::Major).await;

    assert_eq!(world.store.script(world.workspace, saved.script.id).await.unwrap(), saved.script);
    assert_eq!(saved.script.manifest, pipeline());
    assert_eq!(saved.script.digest, windlass_core::digest_text(&saved.script.source));
}

pub async fn one_name_in_two_workspaces_is_two_workflows(test_store: TestStore) {
    let here = World::empty(test_store).await;
    let other = here.store.ensure_workspace("other").await.unwrap();
    let there = World { workspace: other, ..here.clone() };

    let first = here.save("mail", "// one", pipeline(), Bump::Major).await.script;
    let second = there.save("mail", "// one", pipeline(), Bump::Major).await.script;

    assert_ne!(first.workflow_id, second.workflow_id);
    assert_eq!(here.store.ensure_workspace("other").await.unwrap(), other);
    assert_eq!(here.store.all_workflows(here.workspace).await.unwrap().len(), 1);
}

pub async fn saving_is_in_the_journal_once(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    world.save("mail", "// mail", pipeline(), Bump::Major).await;

    assert_eq!(world.journal_actions().await, ["script.saved", "script.activated"]);
}
