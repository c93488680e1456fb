//! A secret goes to its server and nowhere else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, Sender, channel};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use expect_test::expect;
use serde_json::Value;

use crate::cli::folder::TestFolder;

const TOKEN: &str = "sk_live_d41d8cd98f00b204";

/// Asks a server that repeats everything, and passes on whatever it hears.
const GOSSIP: &str = r#"
const workflow = {
  topics: { heard: {} },
  producers: {
    listen: {
      publishes: ["heard"], schedule: { interval: "1d" },
      handler: async () => {
        const answer = await Http.get({ url: "$URL/look" });
        console.log(answer);
        const title = answer.headers["x-said"];
        const inputId = await Topics.registerInput({ source: "Http", type: "page", id: title, title });
        for (const messageId of ["200", "422"]) {
          await Topics.publish({ topic: "heard", event: { messageId, payload: answer, inputId } });
        }
        return answer;
      },
    },
  },
  consumers: {
    tell: {
      subscribe: ["heard"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "heard", limit: 1 });
        if (!event) return { reservations: [] };
        const said = event.payload.headers["x-said"];
        return {
          reservations: [{ topic: "heard", ids: [event.messageId] }],
          data: { id: event.messageId, said },
          ui: { title: `Tell ${said}` },
        };
      },
      mutate: async ({ data }) => {
        await Http.post({ url: `$URL/${data.id}`, body: { ...data, key: "${secret:KEY}" } });
      },
      next: async (prepared, result) => result,
    },
  },
};
"#;

/// A folder with that script, which asks the server at `url` with a secret.
fn gossip(url: &str) -> TestFolder {
    let folder = TestFolder::new();
    let server = url.trim_start_matches("http://");
    folder.write("workflow.js", GOSSIP.replace("$URL", url));
    folder.write(
        "windlass.toml",
        format!(
            "[tools.http]\nallow = [\"{server}\"]\n\
             [tools.http.headers.\"{server}\"]\nAuthorization = \"Bearer ${{secret:KEY}}\"\n\
             [secrets]\nKEY = {{ env = \"GOSSIP_KEY\" }}\n"
        ),
    );
    folder
}

#[test]
fn each_line_of_a_log_in_json_is_a_document_without_secrets() {
    let (url, told) = echo();
    let folder = gossip(&url);
    assert_eq!(folder.call("deploy workflow.js --name gossip --activate --yes").code, 0);

    let mut command = folder.command("run gossip");
    command.env("GOSSIP_KEY", TOKEN).env("WINDLASS_LOG", "trace");
    let said = command.env("WINDLASS_LOG_FORMAT", "json").output().unwrap();

    assert_eq!(told.try_iter().count(), 3, "{said:?}");
    let log = String::from_utf8(said.stderr).unwrap();
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let entries: Vec<Value> = log.lines().map(parse).collect();
    assert!(entries.len() > 20, "{log}");
    for entry in &entries {
        assert!(entry["timestamp"].is_string() && entry["level"].is_string(), "{entry}");
    }
    let of_run = |entry: &&Value| {
        entry["span"]["workflow"] == "gossip" && entry["span"]["handler"] == "tell"
    };
    assert!(entries.iter().any(|entry| of_run(&entry)), "{log}");
    for form in [TOKEN.to_owned(), percent(TOKEN), STANDARD_NO_PAD.encode(TOKEN)] {
        assert!(!log.contains(&form), "{form}: {log}");
    }
}

#[test]
fn a_format_of_the_log_that_is_none_is_told() {
    let folder = TestFolder::with_starter();

    let said = folder.command("list").env("WINDLASS_LOG_FORMAT", "jason").output().unwrap();

    let log = String::from_utf8(said.stderr).unwrap();
    assert!(log.contains("neither `text` nor `json`"), "{log}");
}

#[test]
fn what_a_server_repeats_of_a_secret_is_seen_by_nobody() {
    let (url, told) = echo();
    let folder = gossip(&url);

    let mut output = String::new();
    for line in [
        "doctor",
        "deploy workflow.js --name gossip --activate --yes",
        "run gossip",
        "status gossip",
        "inputs gossip --json",
        "events gossip --json",
        "outputs gossip --json",
        "runs gossip --json",
        "notifications",
    ] {
        let mut command = folder.command(line);
        let command = command.env("GOSSIP_KEY", TOKEN).env("WINDLASS_LOG", "trace");
        let said = command.output().unwrap();
        output.push_str(&String::from_utf8(said.stdout).unwrap());
        output.push_str(&String::from_utf8(said.stderr).unwrap());
    }

    let heads: Vec<String> = told.try_iter().collect();
    assert_eq!(heads.len(), 3, "{heads:#?}\n{output}");
    assert!(heads.iter().all(|head| head.contains(&format!("authorization: Bearer {TOKEN}"))));
    assert!(output.contains("Tell Bearer ***"), "{output}");
    assert!(output.contains("422 Unprocessable Entity: Bearer ***"));
    let kept: Vec<u8> = std::fs::read_dir(folder.path(".windlass"))
        .unwrap()
        .filter_map(|entry| std::fs::read(entry.unwrap().path()).ok())
        .flatten()
        .collect();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("Bearer ***"), "nothing of the answers is kept");
    for form in [TOKEN.to_owned(), percent(TOKEN), STANDARD_NO_PAD.encode(TOKEN)] {
        assert!(!output.contains(&form), "{form}: {output}");
        assert!(!kept.contains(&form), "{form}");
    }
}

#[test]
fn the_program_of_a_connector_finds_no_secret_in_the_environment_of_windlass() {
    let folder = TestFolder::new();
    folder.write("look.sh", "tr '\\0' '\\n' < /proc/$PPID/environ > seen\ntrue >> looked\n");
    folder.write(
        "windlass.toml",
        "[mcp.spy]\ncommand = \"sh\"\nargs = [\"look.sh\"]\n[secrets]\nKEY = { env = \"SPY_KEY\" }\n",
    );
    assert_eq!(folder.call("trust").code, 0);

    let said = folder.command("connectors").env("SPY_KEY", TOKEN).output().unwrap();

    assert_eq!(said.status.code(), Some(1), "it speaks no protocol");
    assert!(folder.path("looked").exists());
    let seen = std::fs::read_to_string(folder.path("seen")).unwrap_or_default();
    assert!(!seen.contains(TOKEN), "{seen}");
}

#[test]
fn a_missing_secret_is_told_at_the_start_and_stops_who_uses_it() {
    let folder = TestFolder::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    folder.write("workflow.js", GOSSIP.replace("$URL", &url));
    folder.write("open", TOKEN);
    folder.write("kept", format!("{TOKEN}\n"));
    for (name, mode) in [("open", 0o644), ("kept", 0o600)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path(name), permissions).unwrap();
    }
    folder.write(
        "windlass.toml",
        format!(
            "[tools.http]\nallow = [\"127.0.0.1:{port}\"]\n\
             [tools.http.headers.\"127.0.0.1\"]\nAuthorization = \"Bearer ${{secret:KEY}}\"\n\
             [secrets]\nKEY = {{ file = \"open\" }}\nOTHER = {{ file = \"kept\" }}\n"
        ),
    );
    assert_eq!(folder.call("deploy workflow.js --name gossip --activate --yes").code, 0);

    let run = folder.call("run gossip");
    let checks: Vec<_> = folder.json("doctor")["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["name"] == "secret")
        .map(|check| format!("{} {}", check["verdict"], check["message"]))
        .collect();

    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("WARN") && run.stderr.contains("cannot use the secret `KEY`"));
    assert!(run.stdout.contains("a provider does not accept its key"), "{}", run.stdout);
    assert!(run.stdout.contains("`chmod 600` it"), "{}", run.stdout);
    let checks = checks.join("\n").replace(&folder.path("").display().to_string(), "[DIR]/");
    expect![[r#"
        "fail" "cannot use the secret `KEY`: others than its owner may read the file `[DIR]/open`: `chmod 600` it, and start Windlass again"
        "ok" "`OTHER` is there, from the file `kept`""#]].assert_eq(&checks);
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A server that repeats everything it is told, in several forms.
fn echo() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        listener.incoming().flatten().for_each(|stream| repeat(stream, &tell).unwrap());
    });
    (url, told)
}

fn repeat(stream: TcpStream, tell: &Sender<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head)?;
    }
    let field = |name: &str| {
        let lower = head.lines().find_map(|line| line.strip_prefix(name));
        lower.map(|value| value.trim().to_owned())
    };
    let mut body = vec![0; field("content-length:").map_or(0, |it| it.parse().unwrap())];
    reader.read_exact(&mut body)?;
    let said = field("authorization:").unwrap_or_default();
    let status = if head.starts_with("POST /422") { "422 Unprocessable Content" } else { "200 OK" };
    let forms = format!(
        "{said}\n{}\n{}\n{head}\n{}",
        percent(&said),
        STANDARD_NO_PAD.encode(&said),
        String::from_utf8_lossy(&body)
    );
    tell.send(head).unwrap();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\nx-said: {said}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{forms}",
        forms.len()
    )
}
