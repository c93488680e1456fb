//! What callers from outside show: how it becomes good, how it is used up, and when it is over.

use std::time::Duration;

use futures::future::join_all;
use windlass_core::{
    Actor, Age, CredentialId, CredentialKind, Id, RecordKind, Retention, Scope, WorkspaceId,
    digest_text,
};
use windlass_store::{
    CreateCredential, Credential, EndCredential, Page, Prune, RedeemSignIn, Result, StoreError,
};

use crate::world::{TestStore, World, seconds};
use crate::{start, token};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A credential of that kind and secret.
fn wanted(world: &World, kind: CredentialKind, secret: &str) -> CreateCredential {
    CreateCredential { kind, ..token(world.workspace, secret) }
}

async fn make(world: &World, kind: CredentialKind, secret: &str) -> Credential {
    world.store.create_credential(wanted(world, kind, secret)).await.unwrap()
}

async fn good(world: &World, secret: &str) -> Option<Credential> {
    let found = world.store.credential(&digest_text(secret)).await.unwrap();
    found.map(|found| found.credential)
}

/// Whether the last use of a good credential is to be noted.
async fn is_stale(world: &World, secret: &str) -> bool {
    world.store.credential(&digest_text(secret)).await.unwrap().unwrap().is_stale
}

async fn redeem(world: &World, link: &str, browser: &str) -> Result<Option<Credential>> {
    let (digest, browser_digest) = (digest_text(link), digest_text(browser));
    world.store.redeem_sign_in(RedeemSignIn { digest, browser_digest, lifetime: DAY * 30 }).await
}

async fn end(
    world: &World,
    workspace: Option<WorkspaceId>,
    credential: CredentialId,
) -> Result<Credential> {
    let actor = "user:bob".to_owned();
    world.store.end_credential(EndCredential { workspace, credential, actor }).await
}

async fn listed(world: &World, workspace: Option<WorkspaceId>) -> Vec<Credential> {
    world.store.credentials(workspace, Page::first(1_000)).await.unwrap().items
}

/// How many entries all journals have.
async fn n_entries(world: &World) -> u64 {
    world.advance(seconds(1));
    let (kind, retention) = (RecordKind::Journal, Retention::all(Age::Span(Duration::ZERO)));
    let params = Prune { kind, retention, after: None, limit: 1_000 };
    world.store.prunable(params).await.unwrap().count
}

pub async fn a_good_credential_is_found_by_the_digest_of_its_secret(test_store: TestStore) {
    let world = World::empty(test_store).await;

    let made = make(&world, CredentialKind::Token, "secret").await;

    let expected = token(world.workspace, "secret");
    assert_eq!((made.kind, &made.name), (expected.kind, &expected.name));
    assert_eq!((&made.actor, &made.scopes), (&expected.actor, &expected.scopes));
    assert_eq!(made.workspace_id, Some(world.workspace));
    assert_eq!((made.created_by.as_str(), &made.ended_by), ("user:admin", &None));
    assert_eq!(made.times.created_at, start());
    assert_eq!(made.times.expires_at, start().after(DAY));
    assert_eq!((made.times.last_used_at, made.times.ended_at), (None, None));
    assert_eq!(good(&world, "secret").await, Some(made));
    assert_eq!(good(&world, "another secret").await, None);
}

pub async fn an_expired_credential_is_good_no_longer(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let made = make(&world, CredentialKind::Token, "secret").await;

    world.advance(DAY - seconds(1));
    let before = good(&world, "secret").await;
    world.advance(seconds(1));
    let after = good(&world, "secret").await;

    assert_eq!((before, after), (Some(made.clone()), None));
    assert_eq!(listed(&world, None).await, [made], "it can still be looked at");
}

pub async fn an_ended_credential_is_good_no_longer_and_ends_once(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let made = make(&world, CredentialKind::Token, "secret").await;
    world.advance(seconds(5));

    let ended = end(&world, Some(world.workspace), made.id).await.unwrap();
    world.advance(seconds(5));
    let again = end(&world, None, made.id).await.unwrap();
    let unknown = end(&world, None, CredentialId::mint(start())).await;

    assert_eq!(ended.times.ended_at, Some(start().after(seconds(5))));
    assert_eq!(ended.ended_by.as_deref(), Some("user:bob"));
    assert_eq!(again, ended);
    assert_eq!(good(&world, "secret").await, None);
    assert!(matches!(unknown, Err(StoreError::NotFound { what: "credential", .. })), "{unknown:?}");
}

pub async fn the_use_of_a_credential_is_noted_to_the_minute(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let made = make(&world, CredentialKind::Token, "secret").await;
    let used_at = async || good(&world, "secret").await.unwrap().times.last_used_at;

    assert!(is_stale(&world, "secret").await, "it was never used");
    world.store.note_credential_use(made.id).await.unwrap();
    assert!(!is_stale(&world, "secret").await);
    world.advance(seconds(59));
    world.store.note_credential_use(made.id).await.unwrap();
    assert_eq!((is_stale(&world, "secret").await, used_at().await), (false, Some(start())));
    world.advance(seconds(1));
    assert!(is_stale(&world, "secret").await);
    world.store.note_credential_use(made.id).await.unwrap();
    assert_eq!(used_at().await, Some(start().after(seconds(60))));
    world.store.note_credential_use(CredentialId::mint(start())).await.unwrap();
}

pub async fn a_browser_that_lies_idle_is_signed_out(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let browser = CreateCredential {
        lifetime: DAY * 30,
        ..wanted(&world, CredentialKind::Browser, "cookie")
    };
    let browser = world.store.create_credential(browser).await.unwrap();

    world.advance(HOUR * 11);
    world.store.note_credential_use(browser.id).await.unwrap();
    world.advance(HOUR * 11);
    assert!(good(&world, "cookie").await.is_some(), "it was used meanwhile");
    world.advance(HOUR);
    assert_eq!(good(&world, "cookie").await, None);
    world.store.note_credential_use(browser.id).await.unwrap();

    assert_eq!(good(&world, "cookie").await, None, "a late note does not sign it in again");
}

pub async fn a_link_signs_in_once(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let link = make(&world, CredentialKind::SignIn, "link").await;
    world.advance(seconds(30));

    let browser = redeem(&world, "link", "cookie").await.unwrap().unwrap();
    let again = redeem(&world, "link", "another cookie").await.unwrap();

    let now = start().after(seconds(30));
    assert_eq!(browser.kind, CredentialKind::Browser);
    assert_eq!((&browser.name, &browser.actor), (&link.name, &link.actor));
    assert_eq!((browser.workspace_id, &browser.scopes), (link.workspace_id, &link.scopes));
    assert_eq!(browser.created_by, "user:ada");
    assert_eq!(browser.times.expires_at, now.after(DAY * 30));
    assert_eq!((browser.times.last_used_at, browser.times.ended_at), (None, None));
    assert_eq!(good(&world, "cookie").await, Some(browser));
    assert_eq!(again, None);
    assert_eq!(good(&world, "another cookie").await, None);
    assert_eq!(good(&world, "link").await, None);
    let used_up = listed(&world, None).await.into_iter().find(|it| it.id == link.id).unwrap();
    assert_eq!(
        (used_up.times.ended_at, used_up.ended_by.as_deref()),
        (Some(now), Some("user:ada"))
    );
}

pub async fn of_many_who_redeem_a_link_at_once_one_is_signed_in(test_store: TestStore) {
    let world = World::empty(test_store).await;
    make(&world, CredentialKind::SignIn, "link").await;
    let cookies: Vec<_> = (0..6).map(|n| format!("cookie {n}")).collect();

    let answers = join_all(cookies.iter().map(|cookie| redeem(&world, "link", cookie))).await;

    let signed_in: Vec<_> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(signed_in.len(), 1, "{signed_in:?}");
    assert_eq!(listed(&world, None).await.len(), 2);
}

pub async fn only_a_good_link_signs_in(test_store: TestStore) {
    let world = World::empty(test_store).await;
    make(&world, CredentialKind::Token, "token").await;
    make(&world, CredentialKind::Browser, "browser").await;
    let ended = make(&world, CredentialKind::SignIn, "ended").await;
    end(&world, None, ended.id).await.unwrap();
    make(&world, CredentialKind::SignIn, "expired").await;
    let before = listed(&world, None).await;

    for no_link in ["unknown", "token", "browser", "ended"] {
        assert_eq!(redeem(&world, no_link, "cookie").await.unwrap(), None, "{no_link}");
    }
    let made_meanwhile = redeem(&world, "ended", "token").await.unwrap();
    assert_eq!(made_meanwhile, None, "of the same instant, and not for a browser");
    world.advance(DAY);
    assert_eq!(redeem(&world, "expired", "cookie").await.unwrap(), None);

    assert_eq!(listed(&world, None).await, before);
}

pub async fn a_call_whose_answer_was_lost_is_repeated(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let create = wanted(&world, CredentialKind::SignIn, "link");

    let made = world.store.create_credential(create.clone()).await.unwrap();
    world.advance(seconds(1));
    assert_eq!(world.store.create_credential(create.clone()).await.unwrap(), made);
    let browser = redeem(&world, "link", "cookie").await.unwrap();
    world.advance(seconds(1));
    assert_eq!(redeem(&world, "link", "cookie").await.unwrap(), browser);
    let link = world.store.create_credential(create).await.unwrap();

    assert_eq!((link.id, link.times.ended_at), (made.id, Some(start().after(seconds(1)))));
    assert_eq!(listed(&world, None).await.len(), 2);
}

pub async fn the_secret_of_another_credential_is_refused(test_store: TestStore) {
    let world = World::empty(test_store).await;
    make(&world, CredentialKind::Token, "secret").await;
    make(&world, CredentialKind::SignIn, "link").await;
    let before = listed(&world, None).await;
    let same = || token(world.workspace, "secret");

    for other in [
        CreateCredential { kind: CredentialKind::Browser, ..same() },
        CreateCredential { name: "another".to_owned(), ..same() },
        CreateCredential { actor: Actor::User("bob".to_owned()), ..same() },
        CreateCredential { workspace: None, ..same() },
        CreateCredential { scopes: [Scope::Admin].into_iter().collect(), ..same() },
        CreateCredential { created_by: "user:bob".to_owned(), ..same() },
    ] {
        let refused = world.store.create_credential(other.clone()).await;
        assert!(matches!(refused, Err(StoreError::NotNow { .. })), "{other:?}: {refused:?}");
    }
    let refused = redeem(&world, "link", "secret").await;
    assert!(matches!(refused, Err(StoreError::NotNow { .. })), "{refused:?}");

    assert_eq!(listed(&world, None).await, before, "the link stays good");
    assert!(redeem(&world, "link", "cookie").await.unwrap().is_some());
}

pub async fn an_agent_gets_no_scope_that_is_for_people(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let of_agent = |scope| CreateCredential {
        actor: Actor::Agent("claude".to_owned()),
        scopes: [Scope::Read, scope].into_iter().collect(),
        ..token(world.workspace, "secret")
    };

    for scope in [Scope::Settle, Scope::Admin] {
        let refused = world.store.create_credential(of_agent(scope)).await;
        assert!(
            matches!(&refused, Err(StoreError::Scopes(it)) if it.scope == scope),
            "{refused:?}"
        );
    }
    assert_eq!(good(&world, "secret").await, None);
    world.store.create_credential(of_agent(Scope::Deploy)).await.unwrap();

    assert!(good(&world, "secret").await.unwrap().scopes.allow(Scope::Deploy));
}

pub async fn a_workspace_has_only_credentials_of_its_own(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let other = world.store.ensure_workspace("other").await.unwrap();
    let there = World { workspace: other, ..world.clone() };
    let here = make(&world, CredentialKind::Token, "here").await;
    let elsewhere = make(&there, CredentialKind::Token, "there").await;
    let of_all = CreateCredential { workspace: None, ..token(world.workspace, "of all") };
    let of_all = world.store.create_credential(of_all).await.unwrap();
    let nowhere = CreateCredential {
        workspace: Some(WorkspaceId::mint(start())),
        ..token(world.workspace, "nowhere")
    };
    let nowhere = world.store.create_credential(nowhere).await;

    assert!(matches!(nowhere, Err(StoreError::NotFound { what: "workspace", .. })), "{nowhere:?}");
    assert_eq!(listed(&world, Some(other)).await, std::slice::from_ref(&elsewhere));
    assert_eq!(listed(&world, None).await.len(), 3);
    for foreign in [&elsewhere, &of_all] {
        let refused = end(&world, Some(world.workspace), foreign.id).await;
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    assert!(good(&world, "there").await.is_some() && good(&world, "of all").await.is_some());
    for own in [&here, &of_all] {
        let workspace = own.workspace_id;
        assert!(end(&world, workspace, own.id).await.unwrap().times.ended_at.is_some());
    }
}

pub async fn credentials_are_listed_newest_first(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut made = Vec::new();
    for n in 0..5 {
        // The last two are of one instant.
        world.advance(seconds(u64::from(n < 4)));
        made.push(make(&world, CredentialKind::Token, &format!("secret {n}")).await);
    }
    made.sort_by_key(|it| std::cmp::Reverse((it.times.created_at, it.id.to_string())));

    for workspace in [None, Some(world.workspace)] {
        let mut found = Vec::new();
        let mut page = Page::first(2);
        loop {
            let listed = world.store.credentials(workspace, page).await.unwrap();
            found.extend(listed.items);
            if listed.next.is_none() {
                break;
            }
            page.after = listed.next;
        }
        assert_eq!(found, made);
    }
}

pub async fn what_is_long_over_is_removed_some_at_a_time(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let lasting = async |secret: &str| {
        let lasting = token(world.workspace, secret);
        let lasting = CreateCredential { lifetime: DAY * 365, ..lasting };
        world.store.create_credential(lasting).await.unwrap()
    };
    let (kept, ended) = (lasting("kept").await, lasting("ended").await);
    end(&world, None, ended.id).await.unwrap();
    for n in 0..110 {
        make(&world, CredentialKind::SignIn, &format!("link {n}")).await;
    }

    world.advance(DAY * 30);
    let young = make(&world, CredentialKind::SignIn, "a").await;
    assert_eq!(listed(&world, None).await.len(), 113, "it ended not longer than 30 days ago");
    world.advance(DAY + seconds(1));
    make(&world, CredentialKind::SignIn, "b").await;
    assert_eq!(listed(&world, None).await.len(), 14, "no more than 100 at a time");
    make(&world, CredentialKind::SignIn, "c").await;

    let left: Vec<_> = listed(&world, None).await.into_iter().map(|it| it.id).collect();
    assert!(left.len() == 4 && left.contains(&kept.id) && left.contains(&young.id), "{left:?}");
}

pub async fn what_is_done_with_credentials_is_in_the_journal_of_their_workspace(
    test_store: TestStore,
) {
    let world = World::empty(test_store).await;
    let create = wanted(&world, CredentialKind::SignIn, "link");
    let of_all = CreateCredential { workspace: None, ..token(world.workspace, "of all") };
    let mut counted = Vec::new();

    for _ in 0..2 {
        world.store.create_credential(create.clone()).await.unwrap();
        counted.push(n_entries(&world).await);
    }
    let mut browser = None;
    for _ in 0..2 {
        browser = redeem(&world, "link", "cookie").await.unwrap();
        counted.push(n_entries(&world).await);
    }
    for _ in 0..2 {
        end(&world, None, browser.as_ref().unwrap().id).await.unwrap();
        counted.push(n_entries(&world).await);
    }
    let of_all = world.store.create_credential(of_all).await.unwrap();
    end(&world, None, of_all.id).await.unwrap();
    counted.push(n_entries(&world).await);

    assert_eq!(counted, [1, 1, 2, 2, 3, 3, 3], "each once, and those of the whole instance never");
}
