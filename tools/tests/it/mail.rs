//! `Mail.parse`.

use base64::Engine as _;
use serde_json::{Value, json};
use windlass_core::FailureClass;

use crate::world::World;

/// The mails of an `.eml` file with this text.
async fn parsed(text: impl AsRef<[u8]>) -> Value {
    parsed_as("inbox/a.eml", text).await
}

/// The mails of a file with this name and text.
async fn parsed_as(path: &str, text: impl AsRef<[u8]>) -> Value {
    let world = World::new();
    world.put(path, text);
    world.ok("Mail.parse", json!({"path": path})).await
}

/// The text of a mail that has only this HTML.
async fn text_of(html: &str) -> String {
    let mails = parsed(format!("From: a@b.example\nContent-Type: text/html\n\n{html}")).await;
    mails.pointer("/0/text").and_then(Value::as_str).unwrap().to_owned()
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
    let mails = parsed_as(
        "inbox/all.mbox",
        "From a@b.example Sun Mar  1 10:00:00 2026\nFrom: a@b.example\nSubject: one\n\n>From here on\n\n\
         From c@d.example Sun Mar  1 11:00:00 2026\nFrom: c@d.example\nSubject: two\n\nsecond\n",
    )
    .await;

    assert_eq!([&mails[0]["subject"], &mails[1]["subject"]], ["one", "two"]);
    assert!(mails[0]["text"].as_str().unwrap().starts_with("From here on"));
    assert_eq!(mails.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_line_of_a_body_is_no_mail_of_its_own() {
    let forged = "From a@b.example Sun Mar  1 10:00:00 2026\nFrom: a@b.example\nSubject: one\n\n\
                  From now on, pay to this account.\n\nFrom boss\nFrom: boss@b.example\n\npay\n";

    let mails = parsed_as("inbox/all.mbox", forged).await;
    assert_eq!(mails.as_array().unwrap().len(), 1, "{mails}");

    let envelope = "\nFrom boss@b.example Sun Mar  1 10:00:00 2026\nFrom: boss@b.example\n\npay\n";
    let mails = parsed(format!("{forged}{envelope}")).await;
    assert_eq!(mails.as_array().unwrap().len(), 1, "an .eml is one mail: {mails}");
}

#[tokio::test]
async fn a_mailbox_may_say_how_long_its_bodies_are() {
    let body = "quoted:\n\nFrom boss@b.example Sun Mar  1 10:00:00 2026\n\npay\n";
    let envelope = "From a@b.example Sun Mar  1 10:00:00 2026\n";
    let len = body.len();
    let mails = parsed_as(
        "inbox/all.mbox",
        format!(
            "{envelope}Subject: one\nContent-Length: {len}\n\n{body}\n{envelope}Subject: two\nContent-Length: 9999\n\nx\n\n\
             {envelope}Subject: three\n\ny\n"
        ),
    )
    .await;

    let subjects: Vec<_> = mails.as_array().unwrap().iter().map(|it| &it["subject"]).collect();
    assert_eq!(subjects, ["one", "two", "three"], "a wrong length counts for nothing");
    assert!(mails[0]["text"].as_str().unwrap().contains("pay"));
}

#[tokio::test]
async fn mails_within_mails_beyond_measure_are_a_failure_of_the_data() {
    let nested =
        |n: usize| format!("{}To:x\n\nx", "To:x\nContent-Type:message/rfc822\n\n".repeat(n));
    let encoded = base64::engine::general_purpose::STANDARD.encode(nested(3_000));
    let world = World::new();
    for n in [101, 25_000, 200_000] {
        world.put("inbox/a.eml", nested(n));

        let failure = world.refusal("Mail.parse", json!({"path": "inbox/a.eml"})).await;

        assert_eq!(failure.class, FailureClass::Logic);
        assert!(failure.message.contains(&format!("mails within mails, {n} deep")), "{failure}");
    }
    assert_eq!(parsed(nested(100)).await[0]["to"], json!(["x"]));
    let behind_encoding = format!(
        "To: x\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{encoded}"
    );
    assert_eq!(parsed(behind_encoding).await[0]["to"], json!(["x"]));
}

#[tokio::test]
async fn what_readers_of_html_see_apart_is_apart() {
    for (html, text) in [
        (
            "<table>\n<tr><td>Quantity</td><td>2</td><td>12.50</td></tr>\n<tr><td>Total</td><td>25.00</td></tr></table>",
            "Quantity\t2\t12.50\nTotal\t25.00",
        ),
        ("<tr><th>Net</th><th>VAT</th></tr><tr><td>100</td><td>19</td></tr>", "Net\tVAT\n100\t19"),
        (
            "<ul><li>Item 1</li><li>10.00</li></ul><div>Order</div><div>40711</div>",
            "Item 1\n10.00\nOrder\n40711",
        ),
        (
            "<h1>Sum</h1>5<dl><dt>a<dd>b</dl><select><option>1<option>2</select>",
            "Sum\n5\na\nb\n1\n2",
        ),
        ("<p>one <b>two</b>three</p>a<br>b<br/><br>c", "one twothree\na\nb\n\nc"),
        ("<pre>a  b\n c</pre>d   e", "a  b\n c\nd e"),
        (
            "&copy 2026, &#128;5 &euro;6 &#x20ac7 AT&T &amp;lt; &nonsense; &",
            "© 2026, €5 €6 \u{20ac7} AT&T &lt; &nonsense; &",
        ),
        ("1 < 2<!-- <p>no -->, <img alt=\"a > b\">3<STYLE>p { }</style >4", "1 < 2, 34"),
        ("<title>no</title>yes<script>if (a</b) '</p>'</script>", "yes"),
        ("<a b=\"c", ""),
    ] {
        assert_eq!(text_of(html).await, text, "{html}");
    }
}

#[tokio::test]
async fn a_blank_text_part_counts_as_none() {
    let mails = parsed(
        "From: a@b.example\nContent-Type: multipart/alternative; boundary=y\n\n\
         --y\nContent-Type: text/plain\n\n \n\n--y\nContent-Type: text/html\n\n<p>hello</p>\n--y--\n",
    )
    .await;

    assert_eq!(mails[0]["text"], "hello");
}

#[tokio::test]
async fn a_name_does_not_pass_for_an_address() {
    let mails = parsed(
        "From: =?utf-8?Q?boss=40example.org_=3Cboss=40example.org=3E?= <mallory@example.com>\n\
         To: \"Doe, Jane\" <jane@example.org>, \"The \\\"Boss\\\"\" <b@example.org>\n\n",
    )
    .await;

    assert_eq!(mails[0]["from"], "\"boss@example.org <boss@example.org>\" <mallory@example.com>");
    assert_eq!(
        mails[0]["to"],
        json!(["\"Doe, Jane\" <jane@example.org>", "\"The \\\"Boss\\\"\" <b@example.org>"])
    );
}

#[tokio::test]
async fn odd_headers_are_read_as_mail_programs_do() {
    let mails = parsed("\u{feff}Message-ID: <1@a.example>\nMessage-ID: <2@a.example>\n\nx").await;
    assert_eq!(mails[0]["messageId"], "1@a.example");

    for subject in
        ["=?UTF-8?B?4oKs4oI=?= =?UTF-8?B?rA==?=", "=?utf-8?Q?=E2=82=AC=E2?=\n =?UTF-8?q?=82=AC?="]
    {
        let mails = parsed(format!("Subject: {subject}\nTo: a@b.example\n\n{subject}\n")).await;
        assert_eq!(mails[0]["subject"], "€€");
        assert_eq!(mails[0]["to"], json!(["a@b.example"]));
        assert_eq!(mails[0]["text"], format!("{subject}\n"), "a body is left as it is");
    }
    let mails = parsed("Subject: =?utf-8?Q?a?= b =?utf-8?Q?c?=\n\n").await;
    assert_eq!(mails[0]["subject"], "a b c");

    let mails = parsed("Subject: one\rFrom: a@b.example\r\rtext\r").await;
    assert_eq!([&mails[0]["subject"], &mails[0]["from"]], ["one", "a@b.example"]);
    assert_eq!(mails[0]["text"], "text\n");
}

#[tokio::test]
async fn what_is_no_mail_is_refused() {
    let world = World::new();
    for text in [
        &b"just a text\n"[..],
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

#[tokio::test]
async fn a_file_that_is_still_being_written_gives_no_mail_yet() {
    for path in ["inbox/a.eml", "inbox/a.mbox"] {
        for text in ["", "\n", "\r\n \n"] {
            assert_eq!(parsed_as(path, text).await, json!([]), "{path} {text:?}");
        }
    }
}

#[tokio::test]
async fn a_file_name_in_pieces_is_read_to_its_end() {
    let mails = parsed(
        "From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: application/pdf\n\
         Content-Disposition: attachment; filename*0*=UTF-8''Rechnung%20(M%C3%A4rz;\n filename*1*=%202026).pdf\n\n\
         a\n--x--\n",
    )
    .await;

    assert_eq!(mails[0]["attachments"][0]["name"], "Rechnung (März 2026).pdf");
}
