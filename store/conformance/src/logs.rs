//! Logs: the lines of all runs of a session, in one order.

use futures::future::join_all;
use serde_json::json;
use windlass_core::{Age, FailureClass, LogLevel, Retention, SessionId};
use windlass_store::{
    AppendLogs, ClaimedRun, CommitConsumer, CommitProducer, LogEntry, LogFilter, LogSource, NewLog,
    Page, StoreError,
};

use crate::pruning::{AT_ONCE, prune, walk};
use crate::world::graphs::{chain, tool_node};
use crate::world::{TestStore, World, commit_consumer_of, commit_of, event, log, seconds};

async fn lines_of(world: &World, of: LogSource) -> Vec<LogEntry> {
    let (workspace, page) = (world.workspace, Page::first(u32::MAX));
    world.store.all_logs(LogFilter { workspace, of, page }).await.unwrap()
}

/// A pipeline whose producer runs.
async fn polling(test_store: TestStore) -> (World, ClaimedRun) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    (world, run)
}

/// Number, handler and text of each line of a session.
async fn session_log(world: &World, session: SessionId) -> Vec<(u32, String, String)> {
    let lines = lines_of(world, LogSource::Session(session)).await.into_iter();
    lines.map(|line| (line.seq, line.handler.unwrap_or_default(), line.message)).collect()
}

async fn append(world: &World, run: &ClaimedRun, texts: &[&str]) -> Result<(), StoreError> {
    let lines = texts.iter().copied().map(log).collect();
    world.store.append_logs(AppendLogs { claim: run.claim, lines }).await
}

pub async fn the_lines_of_all_runs_of_a_session_are_numbered_in_one_order(test_store: TestStore) {
    let (world, poll) = polling(test_store).await;
    let commit = CommitProducer {
        logs: vec![log("two mails"), NewLog { level: LogLevel::Debug, message: "ok".to_owned() }],
        ..commit_of(&poll)
    };
    let mails = ["m1"].map(|mail| world.input(mail));
    let events = vec![event("mail", "m1")];
    world
        .store
        .commit_producer(CommitProducer { inputs: mails.to_vec(), events, ..commit })
        .await
        .unwrap();
    let record = world.take("record").await;
    world.prepare(&record, Vec::new()).await.unwrap();
    let commit = CommitConsumer { logs: vec![log("nothing")], ..commit_consumer_of(&record) };
    world.store.commit_consumer(commit).await.unwrap();

    assert_eq!(record.session, poll.session);
    let line = |seq, handler: &str, text: &str| (seq, handler.to_owned(), text.to_owned());
    assert_eq!(
        session_log(&world, poll.session).await,
        [line(1, "poll", "two mails"), line(2, "poll", "ok"), line(3, "record", "nothing")]
    );
    let of_run = lines_of(&world, LogSource::Run(record.claim.run)).await;
    assert_eq!(of_run.len(), 1);
    assert_eq!((of_run[0].seq, of_run[0].handler_run_id), (3, Some(record.claim.run)));
    let levels = lines_of(&world, LogSource::Run(poll.claim.run)).await;
    assert_eq!(levels[1].level, LogLevel::Debug);
}

pub async fn lines_are_there_while_the_run_goes_on_and_refused_once_it_is_lost(
    test_store: TestStore,
) {
    let (world, run) = polling(test_store).await;

    append(&world, &run, &["begun"]).await.unwrap();
    append(&world, &run, &[]).await.unwrap();
    let early = session_log(&world, run.session).await;
    append(&world, &run, &["half", "more"]).await.unwrap();
    world.stop(&run, None, FailureClass::Network).await.unwrap();
    let late = append(&world, &run, &["too late"]).await.unwrap_err();

    assert_eq!(early, [(1, "poll".to_owned(), "begun".to_owned())]);
    assert!(matches!(late, StoreError::ClaimLost { .. }), "{late}");
    let texts: Vec<_> = lines_of(&world, LogSource::Run(run.claim.run)).await;
    let texts: Vec<_> = texts.iter().map(|line| (line.seq, line.message.as_str())).collect();
    assert_eq!(texts, [(1, "begun"), (2, "half"), (3, "more")]);
}

pub async fn runs_beside_each_other_leave_no_gap_in_the_log_of_their_session(
    test_store: TestStore,
) {
    let world = World::empty(test_store).await;
    let mut draft = chain(&[]);
    let names = ["one", "two", "three", "four"];
    let node = |name: &&str| tool_node(name, "Files.append", &json!({ "path": name, "text": "" }));
    draft["nodes"] = names.iter().map(node).collect();
    draft["maxParallel"] = json!(4);
    let session = world.start_plan("site", &draft).await;
    let runs = world.claims(None, 4).await;
    assert_eq!(runs.len(), 4);

    let write = async |run: &ClaimedRun| {
        for n in 0..5 {
            let texts = [format!("{} {n} a", run.handler), format!("{} {n} b", run.handler)];
            append(&world, run, &[texts[0].as_str(), texts[1].as_str()]).await.unwrap();
        }
    };
    join_all(runs.iter().map(write)).await;

    let lines = session_log(&world, session).await;
    let numbers: Vec<u32> = lines.iter().map(|(seq, ..)| *seq).collect();
    assert_eq!(numbers, (1..=40).collect::<Vec<_>>());
    for name in names {
        let of_node = lines.iter().filter(|(_, handler, _)| handler == name);
        let texts: Vec<_> = of_node.map(|(.., text)| text.clone()).collect();
        let both = (0..5).flat_map(|n| ["a", "b"].map(|part| format!("{name} {n} {part}")));
        assert_eq!(texts, both.collect::<Vec<_>>(), "in the order in which they were written");
    }
}

pub async fn claims_that_are_gone_are_named(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[tool_node("write", "Files.append", &json!({ "n": 1 }))]);
    let session = world.start_plan("site", &draft).await;
    let run = world.claims(None, 1).await.remove(0);
    let lost = async || world.store.lost_claims(vec![run.claim]).await.unwrap();
    world.advance(seconds(5));
    let before = lost().await;

    world.cancel_graph(session).await;

    assert_eq!((before, lost().await), (vec![], vec![run.claim.run]));
}

pub async fn the_log_of_a_session_outlives_its_runs_and_goes_with_it(test_store: TestStore) {
    let (world, run) = polling(test_store).await;
    let logs = vec![log("polled")];
    world.store.commit_producer(CommitProducer { logs, ..commit_of(&run) }).await.unwrap();
    world.drain().await;
    let sessions_are_kept = Retention { sessions: Age::Forever, ..AT_ONCE };

    walk(&world, &sessions_are_kept, 500, true).await;
    let without_run = session_log(&world, run.session).await;
    prune(&world).await;

    let gone = world.store.run(world.workspace, run.claim.run).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    assert_eq!(without_run, [(1, String::new(), "polled".to_owned())]);
    assert_eq!(session_log(&world, run.session).await, []);
}
