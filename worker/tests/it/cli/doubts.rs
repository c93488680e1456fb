//! Effects of which nobody knows whether they happened, and events too big to be kept.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::cli::folder::TestFolder;

/// Sends each of two orders outside, and then says what became of it.
const SENDER: &str = r#"const workflow = {
  topics: { orders: {}, told: {} },
  producers: {
    poll: {
      publishes: ["orders"],
      schedule: { interval: "1h" },
      handler: async () => {
        for (const id of ["a", "b"]) {
          const inputId = await Topics.registerInput({ source: "System", type: "random", id, title: `Order ${id}` });
          await Topics.publish({ topic: "orders", event: { messageId: id, payload: {}, inputId } });
        }
      },
    },
  },
  consumers: {
    send: {
      subscribe: ["orders"],
      publishes: ["told"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "orders" });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "orders", ids: [event.messageId] }], data: event.messageId, ui: { title: `Order ${event.messageId}` } };
      },
      mutate: async ({ data }) => { await Http.post({ url: `$URL/${data}` }); },
      next: async ({ data }, { status }) => {
        if (status !== "none") await Topics.publish({ topic: "told", event: { messageId: data, payload: { status } } });
      },
    },
    hear: { subscribe: ["told"], prepare: async () => ({ reservations: [] }) },
  },
};
"#;

/// A server that takes the first two requests and goes away without an answer, and answers those that follow.
fn unreliable_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (n_before, stream) in listener.incoming().map(Result::unwrap).enumerate() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            lines.by_ref().find(String::is_empty);
            if n_before >= 2 {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                // Who has gone away hears no answer.
                let _unheard = std::io::Write::write_all(&mut &stream, answer);
            }
        }
    });
    address.to_string()
}

/// The statuses of the outputs, oldest first, and the events of `topic` as `message: status`.
fn ledger(folder: &TestFolder) -> (Vec<Value>, Vec<String>) {
    let outputs = folder.json("outputs sender");
    let statuses = outputs.as_array().unwrap().iter().map(|it| it["status"].clone()).collect();
    let events = folder.json("events sender");
    let event = |it: &Value| {
        format!("{} {} {} {}", it["topic"], it["message_id"], it["status"], it["payload"])
            .replace('"', "")
    };
    (statuses, events.as_array().unwrap().iter().map(event).collect())
}

/// A folder with the workflow `sender`, whose first two requests are not answered.
fn with_sender() -> TestFolder {
    let folder = TestFolder::with_starter();
    let address = unreliable_server();
    folder.write("windlass.toml", format!("[tools.http]\nallow = [\"{address}\"]\n"));
    folder.write("sender.js", SENDER.replace("$URL", &format!("http://{address}")));
    assert_eq!(folder.call("deploy sender.js --name sender --activate --yes").code, 0);
    folder
}

/// The same, with one effect in doubt.
pub(crate) fn with_a_doubt() -> TestFolder {
    let folder = with_sender();
    assert_eq!(folder.call("run sender").code, 3);
    folder
}

#[test]
fn doubts_are_settled_at_the_command_line() {
    let folder = with_sender();

    // The first doubt: it did not happen, so it is done again, which is the second doubt: it is left as it is.
    let mut asked = Vec::new();
    for verdict in ["--did-not-happen", "--skip"] {
        let ran = folder.call("run sender");
        assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
        let outputs = folder.json("outputs sender");
        let doubtful = outputs.as_array().unwrap().last().unwrap().clone();
        let id = doubtful["id"].as_str().unwrap().to_owned();
        assert_eq!(
            (&doubtful["status"], &doubtful["title"]),
            (&json!("indeterminate"), &json!("Order a"))
        );
        let status = folder.call("status sender").stdout;
        assert!(status.starts_with("sender: Needs attention"), "{status}");
        for way_out in ["--did-not-happen", "--skip"] {
            assert!(status.contains(&format!("resolve {id} {way_out}")), "{status}");
        }
        let shown = folder.json(&format!("show {id}"));
        assert_eq!(shown["what"], "output");
        assert!(shown.to_string().contains("indeterminate"), "{shown}");
        assert_eq!(folder.call("run sender").code, 3, "and nothing goes on before");
        assert_eq!(folder.call("resume sender").code, 3);

        let resolved = folder.call(&format!("resolve {id} {verdict}"));

        assert_eq!(resolved.code, 0, "{}", resolved.stderr);
        assert_eq!(folder.call(&format!("resolve {id} {verdict}")).code, 1, "it is settled");
        asked.push(id);
    }
    assert_ne!(asked[0], asked[1]);

    let ran = folder.call("run sender");

    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let (outputs, events) = ledger(&folder);
    assert_eq!(outputs, ["failed", "failed", "applied"]);
    assert_eq!(
        events,
        [
            "orders a skipped {}",
            "orders b consumed {}",
            "told a pending {status:skipped}",
            "told b pending {status:applied}"
        ]
    );
    assert!(folder.call("status sender").stdout.starts_with("sender: Idle"));
}

#[test]
fn an_event_that_is_too_big_is_refused_by_the_name_of_its_limit() {
    let folder = TestFolder::with_starter();
    let script = SENDER.replace("payload: {}", "payload: { text: 'x'.repeat(50 << 20) }");
    folder.write("big.js", script);
    folder.call("deploy big.js --name big --activate --yes");

    let ran = folder.call("run big");

    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("`limits.script.value_bytes`"), "{}", ran.stdout);
    let status = folder.call("status big").stdout;
    assert!(status.starts_with("big: Fixing"), "{status}");
    assert!(status.contains("`limits.script.value_bytes` = 16777216"), "{status}");
    assert_eq!(folder.json("events big"), json!([]));
    assert_eq!(folder.json("inputs big"), json!([]));
}
