//! Notifications that leave Windlass: by mail, to an endpoint, and to a command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::cli::folder::TestFolder;

const SPEAKER: &str = r#"const workflow = {
  topics: { said: {} },
  producers: {
    hear: {
      publishes: ["said"],
      schedule: { interval: "1h" },
      handler: async () => {
        const inputId = await Topics.registerInput({ source: "System", type: "random", id: "a", title: "Word a" });
        await Topics.publish({ topic: "said", event: { messageId: "a", payload: {}, inputId } });
      },
    },
  },
  consumers: {
    tell: {
      subscribe: ["said"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "said" });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "said", ids: ["a"] }] };
      },
      mutate: async () => { await User.notify({ title: "The door is open", text: "the code is s3cret-code" }); },
    },
  },
};
"#;

/// A server that hands each connection to `serve`, and what that has read.
fn server(serve: fn(TcpStream) -> String) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            // Who asks no more has gone away.
            let _gone = sender.send(serve(stream));
        }
    });
    (port, receiver)
}

/// Takes one mail, and returns it as it was sent.
fn take_mail(mut stream: TcpStream) -> String {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let mut mail = String::new();
    stream.write_all(b"220 test\r\n").unwrap();
    while let Some(line) = lines.next() {
        let answer = match line.split(' ').next().unwrap_or_default() {
            "DATA" => "354 go on",
            "QUIT" => break,
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
        if line == "DATA" {
            for line in lines.by_ref().take_while(|line| line != ".") {
                mail += &format!("{line}\n");
            }
            stream.write_all(b"250 taken\r\n").unwrap();
        }
    }
    mail
}

/// Takes one request, and returns its head and its body.
fn take_request(mut stream: TcpStream) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length = head.lines().find_map(|line| {
        line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
    });
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[test]
fn a_message_of_a_script_reaches_people_by_mail_by_http_and_by_command() {
    let (smtp, mails) = server(take_mail);
    let (http, requests) = server(take_request);
    let folder = TestFolder::with_starter();
    let config = folder.read("windlass.toml");
    folder.write("token.txt", "s3cret-code");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.path("token.txt"), private).unwrap();
    folder.write(
        "windlass.toml",
        format!(
            "{config}\n[secrets]\ntoken = {{ file = \"token.txt\" }}\n\
             [notify.mail]\nserver = \"127.0.0.1:{smtp}\"\nencryption = \"none\"\n\
             from = \"Windlass <windlass@example.com>\"\nto = [\"ann@example.com\"]\n\
             [notify.http]\nurl = \"http://127.0.0.1:{http}/hook\"\n\
             headers = {{ authorization = \"Bearer ${{secret:token}}\" }}\n\
             [notify.command]\ncommand = \"sh\"\nargs = [\"-c\", \"cat > told.json\"]\n"
        ),
    );
    folder.write("speaker.js", SPEAKER);

    assert_eq!(folder.call("notify --test").code, 1, "its command is not trusted yet");
    assert_eq!(folder.call("trust").code, 0);
    let tested = folder.json("notify --test");
    let errors: Vec<_> = tested.as_array().unwrap().iter().map(|it| &it["error"]).collect();
    assert_eq!(errors, [&Value::Null, &Value::Null, &Value::Null], "{tested}");
    assert!(mails.recv().unwrap().contains("Subject: Windlass: a test"));
    assert!(requests.recv().unwrap().contains("This is a test"));

    assert_eq!(folder.call("deploy speaker.js --name speaker --activate --yes").code, 0);
    let ran = folder.call("run speaker");

    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let (mail, request) = (mails.recv().unwrap(), requests.recv().unwrap());
    assert!(mail.contains("Subject: Windlass: The door is open"), "{mail}");
    assert!(mail.contains("To: ann@example.com") && mail.contains("the code is ***"), "{mail}");
    assert!(request.to_lowercase().contains("authorization: bearer s3cret-code"), "{request}");
    assert!(
        request.contains("The door is open") && request.contains("idempotency-key"),
        "{request}"
    );
    let told: Value = serde_json::from_str(&folder.read("told.json")).unwrap();
    assert_eq!(told["notifications"][0]["workflow"], "speaker");
    assert_eq!(told["notifications"][0]["text"], "the code is ***");

    let deliveries = folder.json("notify");
    let deliveries = deliveries.as_array().unwrap();
    assert_eq!(deliveries.len(), 3, "{deliveries:?}");
    assert!(deliveries.iter().all(|it| it["sent_at"] != Value::Null && it["attempts"] == 1));
}

#[test]
fn what_could_not_be_sent_is_kept_and_tried_again() {
    let folder = TestFolder::with_starter();
    let config = folder.read("windlass.toml");
    let hook = "[notify.http]\nurl = \"http://127.0.0.1:1/hook\"\n";
    folder.write("windlass.toml", format!("{config}\n{hook}"));
    folder.write("speaker.js", SPEAKER);
    folder.call("deploy speaker.js --name speaker --activate --yes");

    let ran = folder.call("run speaker");

    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let deliveries = folder.json("notify");
    assert_eq!((&deliveries[0]["sent_at"], &deliveries[0]["attempts"]), (&Value::Null, &json!(1)));
    assert_ne!(deliveries[0]["next_attempt_at"], Value::Null);
    assert_ne!(deliveries[0]["error"], Value::Null);
    assert_eq!(folder.call("notify --test").code, 1);
    folder.write("windlass.toml", format!("{config}\n[notify]\nquiet = \"22\"\n"));
    assert_eq!(folder.call("notify").code, 2, "a wrong setting is named");
}
