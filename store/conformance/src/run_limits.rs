//! Limits on what runs have in common.

use std::time::Duration;

use windlass_core::{Grant, LimitKey, Rate, RunLimit};
use windlass_store::{
    ActivateScript, Bump, ClaimFilter, ClaimScope, ClaimedRun, CommitConsumer, FollowUp, Limit,
    SaveScript, SetLimit,
};

use crate::world::{LEASE, TestStore, World, commit_consumer_of, pipeline, seconds};

/// A workflow that may call these.
async fn deploy(world: &World, name: &str, may_call: &[&str]) -> World {
    let grant: Grant = may_call.iter().map(|it| it.parse().unwrap()).collect();
    let params = SaveScript {
        workspace: world.workspace,
        name: name.to_owned(),
        file_name: format!("{name}.js"),
        source: format!("// {name}"),
        manifest: pipeline(),
        grant,
        comment: String::new(),
        bump: Bump::Major,
        actor: "ada".to_owned(),
    };
    let script = world.store.save_script(params).await.unwrap().script;
    let (workflow, script) = (script.workflow_id, script.id);
    let params =
        ActivateScript { workspace: world.workspace, workflow, script, actor: "ada".to_owned() };
    world.store.activate_script(params).await.unwrap();
    World { workflow, ..world.clone() }
}

/// Three workflows that may use the same server.
async fn three(test_store: TestStore) -> World {
    let world = World::empty(test_store).await;
    for name in ["one", "two", "three"] {
        deploy(&world, name, &["Http.post:a.example"]).await;
    }
    world
}

async fn set(world: &World, key: &str, limit: Option<RunLimit>) {
    let params = SetLimit {
        workspace: world.workspace,
        key: key.parse::<LimitKey>().unwrap(),
        limit,
        actor: "ada".to_owned(),
    };
    world.store.set_limit(params).await.unwrap();
}

fn at_once(at_once: u32) -> Option<RunLimit> {
    Some(RunLimit { at_once: Some(at_once), rate: None })
}

fn rate(runs: u32, per: Duration) -> Option<RunLimit> {
    Some(RunLimit { at_once: None, rate: Some(Rate { runs, per }) })
}

async fn take(world: &World) -> Vec<ClaimedRun> {
    world.claims_from(ClaimScope::Matching(ClaimFilter::default()), 10).await
}

/// What a workflow's page says of limits.
async fn limits_on(world: &World) -> Vec<(String, bool, u32)> {
    let overview = world.store.overview(world.workspace, world.workflow).await.unwrap();
    overview.limits.into_iter().map(|it| (it.key, it.is_full, it.queued)).collect()
}

pub async fn a_workflow_knows_the_limits_that_hold_it_back_and_no_others(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let one = deploy(&world, "one", &["Http.post:a.example"]).await;
    let other = deploy(&world, "other", &["Http.post:b.example"]).await;
    assert_eq!(limits_on(&one).await, []);
    set(&world, "host:a.example", at_once(1)).await;
    set(&world, "connector:Http", at_once(5)).await;

    let before = limits_on(&one).await;
    take(&world).await;

    let http = ("connector:Http".to_owned(), false, 0);
    assert_eq!(before[0], ("connector:Http".to_owned(), false, 2));
    assert_eq!(limits_on(&one).await, [http.clone(), ("host:a.example".to_owned(), true, 0)]);
    assert_eq!(limits_on(&other).await, [http]);
}

async fn listed(world: &World) -> Vec<Limit> {
    world.store.limits(world.workspace).await.unwrap()
}

pub async fn a_limit_bounds_the_runs_at_once_of_all_workers(test_store: TestStore) {
    let world = three(test_store).await;
    set(&world, "host:a.example", at_once(2)).await;

    let taken = take(&world).await;

    assert_eq!(taken.len(), 2);
    assert_eq!(take(&world).await, []);
    assert_eq!(world.next_due().await, Some(LEASE), "nobody waits for a run that may not begin");
}

pub async fn the_end_of_a_run_lets_the_next_begin(test_store: TestStore) {
    let world = three(test_store).await;
    set(&world, "connector:Http", at_once(1)).await;
    let mut order = Vec::new();

    for _ in 0..3 {
        let [run] = take(&world).await.try_into().unwrap();
        order.push(run.workflow_name.clone());
        let mut wake_ups = world.store.wake_ups();
        world.find_nothing(&run).await;
        tokio::time::timeout(seconds(60), wake_ups.wait()).await.unwrap();
    }

    assert_eq!(order, ["one", "two", "three"], "each in its turn");
}

pub async fn a_limited_run_is_followed_by_whose_turn_it_is(test_store: TestStore) {
    let world = three(test_store).await;
    set(&world, "connector:Http", at_once(1)).await;
    let [run] = take(&world).await.try_into().unwrap();

    let follow_up = Some(FollowUp { worker: world.worker, lease: LEASE });
    world.prepare(&run, Vec::new()).await.unwrap();
    let params = CommitConsumer { follow_up, ..commit_consumer_of(&run) };
    let committed = world.store.commit_consumer(params).await.unwrap();

    assert_eq!(committed.follow_up, None);
    let [next] = take(&world).await.try_into().unwrap();
    assert_ne!(next.claim.workflow, run.claim.workflow);
}

pub async fn a_limit_concerns_what_was_granted_by_that_name(test_store: TestStore) {
    let world = three(test_store).await;
    deploy(&world, "elsewhere", &["Http.post:b.example"]).await;
    deploy(&world, "files", &["Files.append"]).await;
    set(&world, "host:a.example", at_once(1)).await;

    let names: Vec<_> = take(&world).await.into_iter().map(|run| run.workflow_name).collect();

    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names.contains(&"elsewhere".to_owned()) && names.contains(&"files".to_owned()));
}

pub async fn a_limit_is_that_of_its_workspace(test_store: TestStore) {
    let world = three(test_store).await;
    set(&world, "host:a.example", at_once(1)).await;
    let workspace = world.store.ensure_workspace("other").await.unwrap();
    let other = World { workspace, ..world.clone() };
    deploy(&other, "theirs", &["Http.post:a.example"]).await;

    assert_eq!(take(&world).await.len(), 2);
    assert_eq!(listed(&other).await, []);
}

pub async fn a_rate_bounds_the_runs_that_begin_in_a_window(test_store: TestStore) {
    let world = three(test_store).await;
    set(&world, "host:a.example", rate(2, seconds(30))).await;

    assert_eq!(take(&world).await.len(), 2);
    world.advance(seconds(20));
    assert_eq!(take(&world).await, []);
    assert_eq!(world.next_due().await, Some(seconds(10)));
    world.advance(seconds(10));

    assert_eq!(take(&world).await.len(), 1);
    assert_eq!(listed(&world).await[0].begun, Some(1));
}

pub async fn a_limit_is_taken_away(test_store: TestStore) {
    let world = three(test_store).await;
    set(&world, "host:a.example", at_once(1)).await;
    assert_eq!(take(&world).await.len(), 1);

    set(&world, "host:a.example", None).await;

    assert_eq!(take(&world).await.len(), 2);
    assert_eq!(listed(&world).await, []);
}

pub async fn a_limit_counts_what_runs_when_it_is_set(test_store: TestStore) {
    let world = three(test_store).await;
    let [run] = world
        .claims_from(ClaimScope::Matching(ClaimFilter::default()), 1)
        .await
        .try_into()
        .unwrap();
    set(&world, "host:a.example", at_once(1)).await;

    assert_eq!(take(&world).await, []);
    world.find_nothing(&run).await;
    assert_eq!(take(&world).await.len(), 1);
}

pub async fn a_limit_says_what_is_used_of_it_and_by_whom(test_store: TestStore) {
    let world = three(test_store).await;
    set(&world, "host:a.example", at_once(1)).await;
    let [run] = take(&world).await.try_into().unwrap();

    let [limit] = listed(&world).await.try_into().unwrap();

    assert_eq!((limit.key.as_str(), limit.at_once), ("host:a.example", Some(1)));
    assert_eq!((limit.running, limit.queued, limit.is_full), (1, 2, true));
    let [holder] = limit.held_by.try_into().unwrap();
    assert_eq!((holder.run, holder.worker), (run.claim.run, Some(world.worker)));
    assert_eq!(holder.workflow, "one");
}
