//! Lists are read a page at a time.

use std::fmt::Debug;

use windlass_core::Action;
use windlass_store::{
    CommitConsumer, Event, EventCursor, EventFilter, ListOrder, Listed, LogFilter, LogSource, Page,
    Result, RunFilter, ScriptMessage,
};

use crate::world::{TestStore, World, commit_consumer_of, log, pipeline};

/// A workflow with more than two items in each of its lists. Many of them are of one instant.
async fn busy(test_store: TestStore) -> World {
    let world = World::with_mails(test_store, &["m1", "m2", "m3", "m4", "m5"]).await;
    for mail in ["m1", "m2", "m3"] {
        let (run, mutation) = world.mutated(&[mail]).await;
        let message = ScriptMessage {
            workspace: world.workspace,
            workflow: world.workflow,
            mutation,
            title: mail.to_owned(),
            body: String::new(),
        };
        world.store.add_message(message).await.unwrap();
        let logs = ["one", "two", "three"].map(log).to_vec();
        let commit = CommitConsumer { logs, ..commit_consumer_of(&run) };
        world.store.commit_consumer(commit).await.unwrap();
    }
    for action in [Action::Pause, Action::Resume, Action::Pause, Action::Resume] {
        world.control(action).await.unwrap();
    }
    for source in ["// 1.1", "// 1.2"] {
        world.redeploy(source, pipeline()).await;
    }
    for name in ["another", "Zoë", "mail too"] {
        world.deploy(name, pipeline()).await;
    }
    world
}

/// Reads a list in pages of every size, each of which must end where it should.
async fn check<T, C>(list: impl AsyncFn(Page<C>) -> Result<Listed<T, C>>)
where
    T: Debug + PartialEq,
    C: Clone + Debug + PartialEq,
{
    let whole = list(Page::first(u32::MAX)).await.unwrap();
    assert_eq!(whole.next, None);
    let whole = whole.items;
    assert!(whole.len() > 2, "{whole:?}");
    let n_items = u32::try_from(whole.len()).unwrap();
    for limit in 1..=n_items + 1 {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = list(Page { limit, after }).await.unwrap();
            let is_full = u32::try_from(page.items.len()).unwrap() == limit;
            assert!(is_full || page.next.is_none());
            found.extend(page.items);
            assert_eq!(page.next.is_some(), found.len() < whole.len(), "{limit}: {found:?}");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, whole, "in pages of {limit}");
    }
}

pub async fn the_pages_of_every_list_are_the_list(test_store: TestStore) {
    let world = busy(test_store).await;
    let World { store, workspace, workflow, .. } = &world;
    let (workspace, workflow) = (*workspace, *workflow);
    let run = world.runs().await.into_iter().find(|run| run.mutation_id.is_some()).unwrap().id;
    let subject = workflow.to_string();

    check(async |page| store.workflows(workspace, page).await).await;
    check(async |page| store.scripts(workspace, workflow, page).await).await;
    check(async |page| store.events(all_events(&world, page)).await).await;
    check(async |page| store.events(of_topic(&world, page)).await).await;
    for order in [ListOrder::OldestFirst, ListOrder::NewestFirst] {
        check(async |page| store.inputs(workspace, workflow, order, page).await).await;
        check(async |page| store.mutations(workspace, workflow, order, page).await).await;
    }
    check(async |page| store.sessions(workspace, workflow, page).await).await;
    let runs = |page| RunFilter { workspace, workflow, session: None, page };
    check(async |page| store.runs(runs(page)).await).await;
    check(async |page| store.logs(LogFilter { workspace, of: LogSource::Run(run), page }).await)
        .await;
    check(async |page| store.notifications(workspace, page).await).await;
    check(async |page| store.journal(workspace, workflow, page).await).await;
    check(async |page| store.journal_for(workspace, workflow, &subject, page).await).await;
}

pub async fn the_newest_are_read_from_the_newest_on(test_store: TestStore) {
    let world = busy(test_store).await;
    let World { store, workspace, workflow, .. } = &world;
    let (workspace, workflow) = (*workspace, *workflow);
    let mut inputs = store.all_inputs(workspace, workflow).await.unwrap();
    let mut mutations = store.all_mutations(workspace, workflow).await.unwrap();
    inputs.reverse();
    mutations.reverse();

    let newest = store.newest_inputs(workspace, workflow, None, 2).await.unwrap();
    assert_eq!(newest, inputs[..2]);
    let newest = store.newest_mutations(workspace, workflow, None, 2).await.unwrap();
    assert_eq!(newest, mutations[..2]);
    let since = mutations[1].created_at;
    let newest = store.newest_mutations(workspace, workflow, Some(since), 100).await.unwrap();
    mutations.retain(|mutation| mutation.created_at >= since);
    assert_eq!(newest, mutations);
}

pub async fn a_page_of_nothing_is_empty(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let first = world.store.events(all_events(&world, Page::first(1))).await.unwrap();

    let at_the_beginning = world.store.events(all_events(&world, Page::first(0))).await.unwrap();
    let later = Page { limit: 0, after: first.next };
    let later = world.store.events(all_events(&world, later)).await.unwrap();

    assert_eq!(at_the_beginning.items, []);
    assert_eq!((later.items, later.next), (Vec::new(), first.next));
}

pub async fn inserts_do_not_move_the_pages_that_follow(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let World { workspace, workflow, .. } = world;
    let runs = |page| RunFilter { workspace, workflow, session: None, page };
    let events = world.store.events(of_topic(&world, Page::first(2))).await.unwrap();
    let newest = world.store.runs(runs(Page::first(1))).await.unwrap();
    let older = Page { limit: u32::MAX, after: newest.next };
    let before = world.store.runs(runs(older)).await.unwrap();

    world.drain().await;
    world.poll(&["m1", "m4"]).await;

    let rest = Page { limit: u32::MAX, after: events.next };
    let rest = world.store.events(of_topic(&world, rest)).await.unwrap().items;
    assert_eq!(message_ids(&events.items), ["m1", "m2"]);
    assert_eq!(message_ids(&rest), ["m3", "m4"]);
    let after = world.store.runs(runs(older)).await.unwrap();
    let ids = |listed: &Listed<windlass_store::Run, _>| {
        listed.items.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert!(!before.items.is_empty());
    assert_eq!(ids(&after), ids(&before), "newer runs stand before the cursor");
}

pub async fn a_cursor_of_another_workspace_shows_nothing_of_it(test_store: TestStore) {
    let here = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let workspace = here.store.ensure_workspace("elsewhere").await.unwrap();
    let there = World { workspace, ..here.clone() }.polled("mail", &["n1", "n2"]).await;

    let of_here = here.store.events(all_events(&here, Page::first(1))).await.unwrap().next;
    let of_there = there.store.events(all_events(&there, Page::first(1))).await.unwrap().next;
    let listed = async |world: &World, after| {
        let page = Page { limit: u32::MAX, after };
        let found = world.store.events(all_events(world, page)).await.unwrap();
        found.items.into_iter().map(|event| event.message_id).collect::<Vec<_>>()
    };

    assert!(of_here.is_some() && of_there.is_some());
    assert_eq!(listed(&there, of_here).await, ["n1", "n2"], "its events are younger");
    assert_eq!(listed(&here, of_there).await, Vec::<String>::new(), "its events are older");
    let foreign = World { workspace, ..here.clone() };
    assert_eq!(listed(&foreign, of_here).await, Vec::<String>::new());
}

fn all_events(world: &World, page: Page<EventCursor>) -> EventFilter {
    let World { workspace, workflow, .. } = *world;
    EventFilter { workspace, workflow, topic: None, status: None, message_ids: None, page }
}

fn of_topic(world: &World, page: Page<EventCursor>) -> EventFilter {
    EventFilter { topic: Some("mail".to_owned()), ..all_events(world, page) }
}

fn message_ids(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.message_id.as_str()).collect()
}
