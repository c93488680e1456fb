//! How things are found: by name, by id, by the beginning of one.

use windlass_core::{Id, ScriptId, SessionId, Text};
use windlass_store::{AnyId, StoreError};

use crate::world::{TestStore, World, lone_consumer, pipeline, start};

pub async fn workflows_come_by_name_whatever_the_language(test_store: TestStore) {
    let world = World::empty(test_store).await;
    for name in ["b", "_", "B", "ä", "a b", "a"] {
        world.deploy(name, lone_consumer()).await;
    }

    let workflows = world.store.all_workflows(world.workspace).await.unwrap();

    let names: Vec<_> = workflows.iter().map(|workflow| workflow.name.as_str()).collect();
    assert_eq!(names, ["B", "_", "a", "a b", "b", "ä"]);
}

pub async fn a_workflow_is_found_by_its_name_or_its_id(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let id = world.workflow.to_text();
    // A name that could be the beginning of an id.
    let cafe = world.deploy("cafe", pipeline()).await;
    let find = async |text: &str| {
        let found = world.store.find_workflow(world.workspace, text).await;
        found.map(|workflow| workflow.id)
    };

    assert_eq!(find("mail").await.unwrap(), world.workflow);
    assert_eq!(find(&id).await.unwrap(), world.workflow);
    assert_eq!(find(&id[..id.len() - 1]).await.unwrap(), world.workflow);
    assert_eq!(find("cafe").await.unwrap(), cafe.workflow);
    for unknown in ["MAIL", "mai", "", "wf_", "%", "wf_%", "wf_ffffffff"] {
        let error = find(unknown).await.unwrap_err();
        assert!(matches!(&error, StoreError::NotFound { .. }), "{unknown}: {error:?}");
    }
    let elsewhere = world.store.ensure_workspace("elsewhere").await.unwrap();
    world.store.find_workflow(elsewhere, "mail").await.unwrap_err();
    world.store.find_workflow(elsewhere, &id).await.unwrap_err();
}

pub async fn an_id_of_any_kind_is_found_by_its_beginning(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;
    let store = &world.store;
    let ids = [
        (world.workflow.to_text(), AnyId::Workflow(world.workflow)),
        (run.script.to_text(), AnyId::Script(run.script)),
        (run.session.to_text(), AnyId::Session(run.session)),
        (run.claim.run.to_text(), AnyId::Run(run.claim.run)),
        (mutation.to_text(), AnyId::Mutation(mutation)),
    ];
    let event = world.event("mail", "m1").await.id;
    let input = store.all_inputs(world.workspace, world.workflow).await.unwrap()[0].id;
    let notice = world.open_notifications().await[0].id;
    let more = [
        (event.to_text(), AnyId::Event(event)),
        (input.to_text(), AnyId::Input(input)),
        (notice.to_text(), AnyId::Notification(notice)),
    ];
    let elsewhere = store.ensure_workspace("elsewhere").await.unwrap();

    for (text, id) in ids.into_iter().chain(more) {
        let (_, digits) = text.split_once('_').unwrap();
        assert_eq!(store.resolve_id(world.workspace, &text).await.unwrap(), id);
        assert_eq!(store.resolve_id(world.workspace, digits).await.unwrap(), id);
        assert_eq!(store.resolve_id(world.workspace, &digits.to_uppercase()).await.unwrap(), id);
        let hidden = store.resolve_id(elsewhere, &text).await.unwrap_err();
        assert!(matches!(hidden, StoreError::NotFound { .. }), "{text}: {hidden:?}");
    }
}

pub async fn a_beginning_that_several_ids_share_is_ambiguous(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let events = world.events("mail").await;
    let (one, other) = (events[0].id.to_text(), events[1].id.to_text());
    let n_shared = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let resolve = async |text: &str| world.store.resolve_id(world.workspace, text).await;

    let shared = resolve(&one[..n_shared]).await.unwrap_err();

    let StoreError::Ambiguous { candidates, .. } = &shared else { panic!("{shared:?}") };
    assert!(candidates.contains(&one) && candidates.contains(&other), "{candidates:?}");
    assert_eq!(resolve_end(&world, &one).await, AnyId::Event(events[0].id));
    assert_eq!(resolve_end(&world, &other).await, AnyId::Event(events[1].id));
    assert_eq!(resolve(&one[..=n_shared]).await.unwrap(), AnyId::Event(events[0].id));
    assert_eq!(resolve(&other[..=n_shared]).await.unwrap(), AnyId::Event(events[1].id));
}

/// What the last eight digits of an id, behind its kind, belong to.
async fn resolve_end(world: &World, id: &str) -> AnyId {
    let end = format!("evt_{}", &id[id.len() - 8..]);
    world.store.resolve_id(world.workspace, &end).await.unwrap()
}

pub async fn a_missing_thing_is_named_by_its_kind(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let (script, session) = (ScriptId::mint(start()), SessionId::mint(start()));

    let said = [
        world.store.script(world.workspace, script).await.unwrap_err().to_string(),
        world.store.session(world.workspace, session).await.unwrap_err().to_string(),
        world.store.resolve_id(world.workspace, "run_abc").await.unwrap_err().to_string(),
        world.store.resolve_id(world.workspace, "nonsense").await.unwrap_err().to_string(),
    ];

    let expected = [
        format!("there is no script version `{script}`"),
        format!("there is no session `{session}`"),
        "there is no run `run_abc`".to_owned(),
        "there is no id that begins or ends with `nonsense`".to_owned(),
    ];
    assert_eq!(said, expected);
}
