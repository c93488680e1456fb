//! Encrypted connections to a real server, with every `sslmode` and every kind of certificate.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: what cannot be unwrapped fails the test"
)]

#[path = "tls/server.rs"]
mod server;

use windlass_core::Policy;
use windlass_store::{Location, PostgresEnvironment, PostgresStore, StoreError};

use self::server::{Server, Shows};

const SERVERS: [Shows; 4] = [Shows::Good, Shows::SelfSigned, Shows::OtherName, Shows::Nothing];

/// What comes of each mode, without and with a file of the authority's certificate, at each of the servers.
const OUTCOMES: &[(&str, bool, [&str; 4])] = &[
    ("disable", false, ["plain", "plain", "plain", "plain"]),
    ("allow", false, ["plain", "plain", "plain", "plain"]),
    ("allow", true, ["plain", "plain", "plain", "plain"]),
    ("prefer", false, ["encrypted", "encrypted", "encrypted", "plain"]),
    ("prefer", true, ["encrypted", "plain", "encrypted", "plain"]),
    ("require", false, ["encrypted", "encrypted", "encrypted", "does not encrypt"]),
    ("require", true, ["encrypted", "issued by nobody", "encrypted", "does not encrypt"]),
    ("verify-ca", true, ["encrypted", "issued by nobody", "encrypted", "does not encrypt"]),
    (
        "verify-full",
        true,
        ["encrypted", "issued by nobody", "for another name", "does not encrypt"],
    ),
];

/// How somebody is connected, or what the refusal says.
async fn outcome(server: &Server, parameters: &str) -> String {
    let name = "of-this-test";
    let url = format!(
        "postgres://postgres@localhost:{}/postgres?application_name={name}&{parameters}",
        server.port
    );
    let store = match PostgresStore::open(&url, Policy::default(), None, 1).await {
        Ok(store) => store,
        Err(error) => return error.to_string(),
    };
    let (observer, connection) =
        tokio_postgres::connect(&plain_url(server), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let query = "SELECT bool_and(ssl), bool_or(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = $1";
    let row = observer.query_one(query, &[&name]).await.unwrap();
    let encrypted: (Option<bool>, Option<bool>) = (row.get(0), row.get(1));
    drop(store);
    match encrypted {
        (Some(true), Some(true)) => "encrypted".to_owned(),
        (Some(false), Some(false)) => "plain".to_owned(),
        mixed => format!("{mixed:?}"),
    }
}

fn plain_url(server: &Server) -> String {
    format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", server.port)
}

/// The same question, put to `psql`.
fn outcome_of_psql(server: &Server, parameters: &str) -> &'static str {
    let url = format!("postgres://postgres@localhost:{}/postgres?{parameters}", server.port);
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let output = server.program("psql").args([&url, "-XAtc", query]).output().unwrap();
    match &*output.stdout {
        b"t\n" => "encrypted",
        b"f\n" => "plain",
        _ => "refused",
    }
}

#[tokio::test]
async fn each_mode_connects_to_each_server_as_psql_does_or_says_what_is_wrong() {
    let Some(server) = Server::start() else { return };
    let authority = server.authority().display().to_string();
    PostgresStore::migrate(&plain_url(&server)).await.unwrap();
    let mut wrong = Vec::new();

    for (index, shows) in SERVERS.into_iter().enumerate() {
        server.show(shows);
        for (mode, is_checked, expected) in OUTCOMES {
            let root =
                if *is_checked { format!("&sslrootcert={authority}") } else { String::new() };
            let parameters = format!("sslmode={mode}{root}");
            let outcome = outcome(&server, &parameters).await;
            let psql = outcome_of_psql(&server, &parameters);

            let is_connected = matches!(expected[index], "plain" | "encrypted");
            let agrees = psql == if is_connected { expected[index] } else { "refused" };
            let names_place =
                is_connected || outcome.contains(&format!("localhost:{}", server.port));
            let is_expected = match is_connected {
                true => outcome == expected[index],
                false => outcome.contains(expected[index]),
            };
            if !(is_expected && agrees && names_place) {
                wrong.push(format!("{shows:?}, {parameters}: {outcome}; psql: {psql}"));
            }
        }
    }

    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_refused_certificate_is_explained_with_what_to_do() {
    let Some(server) = Server::start() else { return };
    let authority = server.authority().display().to_string();

    server.show(Shows::SelfSigned);
    let unknown = outcome(&server, &format!("sslmode=verify-full&sslrootcert={authority}")).await;
    let public = outcome(&server, "sslrootcert=system").await;
    server.show(Shows::OtherName);
    let other = outcome(&server, &format!("sslmode=verify-full&sslrootcert={authority}")).await;
    server.show(Shows::Nothing);
    let plain = outcome(&server, "sslmode=require").await;

    assert!(unknown.contains(&format!("nobody in `{authority}`")), "{unknown}");
    assert!(public.contains("this machine"), "{public}");
    assert!(other.contains("elsewhere.example") && other.contains("verify-ca"), "{other}");
    assert!(plain.contains("`sslmode=disable`"), "{plain}");
}

#[tokio::test]
async fn the_server_decides_who_may_come_in_with_and_without_encryption() {
    let Some(server) = Server::start() else { return };
    server.show(Shows::Good);
    let (client, connection) =
        tokio_postgres::connect(&plain_url(&server), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let users = "CREATE ROLE only_plain LOGIN SUPERUSER; CREATE ROLE only_encrypted LOGIN SUPERUSER PASSWORD 's3cret';";
    client.batch_execute(users).await.unwrap();
    let migrate = async |login: &str, parameters: &str| {
        let url = format!("postgres://{login}@localhost:{}/postgres?{parameters}", server.port);
        let said = PostgresStore::migrate(&url).await.map(drop).map_err(|error| error.to_string());
        assert!(!format!("{said:?}").contains("s3cret"), "{said:?}");
        said
    };
    let authority = format!("sslrootcert={}", server.authority().display());

    migrate("only_plain", "sslmode=prefer").await.unwrap();
    migrate("only_plain", "sslmode=disable").await.unwrap();
    migrate("only_encrypted:s3cret", "sslmode=allow").await.unwrap();
    migrate(
        "only_encrypted:s3cret",
        &format!("{authority}&sslmode=verify-full&channel_binding=require"),
    )
    .await
    .unwrap();
    let plain = migrate("only_encrypted:s3cret", "sslmode=disable").await.unwrap_err();
    let wrong = migrate("only_encrypted:s3cret2", "sslmode=prefer").await.unwrap_err();
    let none = migrate("only_encrypted", "sslmode=require").await.unwrap_err();

    assert!(plain.contains("without encryption") && plain.contains("verify-full"), "{plain}");
    assert!(wrong.contains("password authentication failed"), "{wrong}");
    assert!(none.contains("`PGPASSWORD`"), "{none}");
}

#[tokio::test]
async fn a_socket_another_host_and_the_environment_lead_to_the_server() {
    let Some(server) = Server::start() else { return };
    server.show(Shows::Good);
    let (port, folder) = (server.port, server.socket_folder().display().to_string());
    let environment = PostgresEnvironment::read(|name| match name {
        "PGUSER" => Some("postgres".to_owned()),
        "PGSSLMODE" => Some("verify-full".to_owned()),
        "PGSSLROOTCERT" => Some(server.authority().display().to_string()),
        _ => None,
    });
    let reach = async |location: Location| PostgresStore::migrate(location).await.map(drop);

    let by_socket =
        format!("postgres://postgres@/postgres?host={folder}&port={port}&sslmode=require");
    reach(Location::from(&by_socket)).await.unwrap();
    let second =
        format!("postgres://postgres@127.0.0.1:1,localhost:{port}/postgres?sslmode=require");
    reach(Location::from(&second)).await.unwrap();
    let bare = format!("postgres://localhost:{port}/postgres");
    reach(Location::from(&bare).with_environment(environment.clone())).await.unwrap();
    let by_number = format!("postgres://127.0.0.1:{port}/postgres");
    let wrong = reach(Location::from(&by_number).with_environment(environment)).await.unwrap_err();
    let nobody = reach(Location::from("postgres://127.0.0.1:1,127.0.0.1:2/d")).await.unwrap_err();

    assert!(wrong.to_string().contains("for another name"), "{wrong}");
    assert!(matches!(nobody, StoreError::Unavailable { .. }), "{nobody}");
    let nobody = nobody.to_string();
    assert!(nobody.contains("`127.0.0.1:1`") && nobody.contains("`127.0.0.1:2`"), "{nobody}");
}
