//! `Mail.parse`.

use serde_json::{Value, json};
use windlass_core::FailureClass;

use crate::world::World;

/// The mails of a file with this text.
async fn parsed(text: impl AsRef<[u8]>) -> Value {
    let world = World::new();
    world.put("inbox/a.eml", text);
    world.ok("Mail.parse", json!({"path": "inbox/a.eml"})).await
}

#[tokio::test]
async fn a_plain_mail_gives_all_of_its_parts() {
    let mails = parsed(
        "From: \"Bean & Leaf\" <shop@bean.example>\r\nTo: Ann <ann@a.example>, bob@b.example\r\n\
         Subject: Your receipt\r\nDate: Sun, 1 Mar 2026 10:30:00 +0100\r\nMessage-ID: <r1@bean.example>\r\n\r\n\
         Total: 4,50 EUR\r\n",
    )
    .await;

    assert_eq!(
        mails,
        json!([{
            "messageId": "r1@bean.example",
            "from": "Bean & Leaf <shop@bean.example>",
            "to": ["Ann <ann@a.example>", "bob@b.example"],
            "subject": "Your receipt",
            "date": "2026-03-01T09:30:00Z",
            "text": "Total: 4,50 EUR\r\n",
            "html": null,
            "attachments": [],
        }])
    );
}

#[tokio::test]
async fn what_a_mail_does_not_say_is_empty_or_null() {
    let mails = parsed("Subject: hi\r\nDate: 99 Foo 2026\r\n\r\n").await;

    assert_eq!(
        mails,
        json!([{
            "messageId": null, "from": "", "to": [], "subject": "hi", "date": null, "text": "", "html": null,
            "attachments": [],
        }])
    );
}

#[tokio::test]
async fn encoded_headers_and_bodies_are_decoded() {
    let mails = parsed(
        "From: =?UTF-8?B?QsO8cm8gS8O2bmln?= <b@k.example>\r\nSubject: =?ISO-8859-1?Q?Caf=E9?=\r\n\
         Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         Gesamt: 5,00 =\r\nEUR f=FCr\r\n",
    )
    .await;

    assert_eq!(mails[0]["from"], "Büro König <b@k.example>");
    assert_eq!(mails[0]["subject"], "Café");
    assert_eq!(mails[0]["text"], "Gesamt: 5,00 EUR für\r\n");
}

#[tokio::test]
async fn html_alone_is_also_given_as_text() {
    let html = "<html><body><p>Total: <b>5&nbsp;EUR</b></p></body></html>";
    let mails = parsed(format!("From: a@b.example\r\nContent-Type: text/html\r\n\r\n{html}")).await;

    assert_eq!(mails[0]["html"], html);
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.contains("Total: 5\u{a0}EUR") && !text.contains('<'), "{text:?}");
}

#[tokio::test]
async fn attachments_are_named_with_their_size() {
    let mails = parsed(
        "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
         --x\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n\
         --y\r\nContent-Type: text/plain\r\n\r\nhello\r\n--y\r\nContent-Type: text/html\r\n\r\n<p>hello</p>\r\n--y--\r\n\
         --x\r\nContent-Type: Application/PDF; name=bill.pdf\r\nContent-Disposition: attachment\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--x--\r\n",
    )
    .await;

    assert_eq!(mails[0]["text"], "hello");
    assert_eq!(mails[0]["html"], "<p>hello</p>");
    assert_eq!(
        mails[0]["attachments"],
        json!([{"name": "bill.pdf", "type": "application/pdf", "size": 4}])
    );
}

#[tokio::test]
async fn a_mailbox_gives_every_mail() {
    let mails = parsed(
        "From a@b.example Sun Mar  1 10:00:00 2026\nFrom: a@b.example\nSubject: one\n\n>From here on\n\n\
         From c@d.example Sun Mar  1 11:00:00 2026\nFrom: c@d.example\nSubject: two\n\nsecond\n",
    )
    .await;

    assert_eq!([&mails[0]["subject"], &mails[1]["subject"]], ["one", "two"]);
    assert!(mails[0]["text"].as_str().unwrap().starts_with("From here on"));
    assert_eq!(mails.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_no_mail_is_refused() {
    let world = World::new();
    for text in [
        &b""[..],
        b"just a text\n",
        b"key: value\n\nbody",
        b"\x89PNG\r\n\x1a\n\0\0\0",
        b"From nowhere\nno headers",
    ] {
        world.put("inbox/a.eml", text);

        let failure = world.refusal("Mail.parse", json!({"path": "inbox/a.eml"})).await;

        assert_eq!(failure.class, FailureClass::Logic);
        assert!(
            failure.message.contains("`inbox/a.eml`") && failure.message.contains("is no mail"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_mail_that_is_too_large_is_refused() {
    let world = World::with(&json!({"files": {"roots": ["inbox"], "max_read_mib": 1}}));
    world.put("inbox/a.eml", format!("From: a@b.example\r\n\r\n{}", "x".repeat(1024 * 1024)));

    let failure = world.refusal("Mail.parse", json!({"path": "inbox/a.eml"})).await;

    assert!(failure.message.contains("[tools.files] max_read_mib"), "{failure}");
}
