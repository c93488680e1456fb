use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

/// An environment without variables.
fn no_variables(_name: &str) -> Option<OsString> {
    None
}

/// Secrets in files of this mode.
fn load(files: &[(&str, &[u8])], mode: u32) -> (Secrets, tempfile::TempDir) {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        let mut options = OpenOptions::new();
        let path = dir.path().join(name);
        let mut file = options.write(true).create_new(true).mode(mode).open(path).unwrap();
        file.write_all(contents).unwrap();
    }
    let origin = |name: &str| (name.to_owned(), SecretOrigin::File(name.to_owned()));
    let config = SecretsConfig(files.iter().map(|(name, _)| origin(name)).collect());
    (Secrets::load(&config, dir.path(), no_variables), dir)
}

fn filled(secrets: &Secrets, text: &str) -> Result<String, String> {
    secrets.fill(text).map(|it| it.expose_secret().to_owned()).map_err(|error| error.to_string())
}

fn config(text: &str) -> Result<SecretsConfig, String> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

#[test]
fn a_secret_is_named_by_variable_or_file() {
    let config = config("A = { env = \"X\" }\nB = { file = \"secrets/b\" }").unwrap();

    let origins: Vec<_> = config.0.values().map(ToString::to_string).collect();
    assert_eq!(origins, ["the environment variable `X`", "the file `secrets/b`"]);
}

#[test]
fn a_secret_in_the_configuration_itself_is_refused_and_not_repeated() {
    for wrong in [
        "A = \"sk_live\"",
        "A = 424242",
        "A = { value = \"sk_live\" }",
        "A = { env = \"X\", file = \"sk_live\" }",
        "A = { env = 424242 }",
        "A = [\"sk_live\"]",
        "A = {}",
    ] {
        let error = config(wrong).unwrap_err();
        assert!(error.contains("where it comes from"), "{error}");
        assert!(!error.contains("sk_live") && !error.contains("424242"), "{error}");
    }
}

#[test]
fn every_reference_is_filled_and_nothing_that_a_secret_contains() {
    let (secrets, _dir) = load(&[("A", b"one"), ("B", b"${secret:A}\n")], 0o600);

    assert_eq!(filled(&secrets, "x ${secret:A}, ${secret:B}"), Ok("x one, ${secret:A}".to_owned()));
    assert_eq!(filled(&secrets, "no $ {secret}"), Ok("no $ {secret}".to_owned()));
}

#[test]
fn only_the_ends_of_the_last_lines_are_cut() {
    let files: [(&str, &[u8]); 4] =
        [("a", b"v"), ("b", b"v\n"), ("c", b"v\r\n"), ("d", b" v \r\n\n")];
    let (secrets, _dir) = load(&files, 0o600);

    let values =
        ["a", "b", "c", "d"].map(|it| filled(&secrets, &format!("${{secret:{it}}}")).unwrap());
    assert_eq!(values, ["v", "v", "v", " v "]);
}

#[test]
fn what_is_wrong_with_a_secret_is_said_with_what_to_do() {
    let mut errors = Vec::new();
    let mut show = |secrets: &Secrets, name: &str, dir: &Path| {
        let error = filled(secrets, &format!("${{secret:{name}}}")).unwrap_err();
        errors.push(error.replace(&dir.display().to_string(), "DIR"));
    };
    let (secrets, dir) = load(&[("open", b"secret")], 0o640);
    show(&secrets, "open", dir.path());
    let (secrets, dir) =
        load(&[("empty", b"\n"), ("binary", b"\xff\xfe\xfd"), ("large", &[b'x'; 70_000])], 0o600);
    for name in ["empty", "binary", "large", "other"] {
        show(&secrets, name, dir.path());
    }
    let config = config("gone = { file = \"gone\" }\nfolder = { file = \".\" }\nunset = { env = \"WINDLASS_NOT_SET\" }").unwrap();
    let secrets = Secrets::load(&config, dir.path(), no_variables);
    for name in ["gone", "folder", "unset"] {
        show(&secrets, name, dir.path());
    }

    expect![[r#"
        cannot use the secret `open`: others than its owner may read the file `DIR/open`: `chmod 600` it, and start Windlass again
        cannot use the secret `empty`: the file `empty` is empty: put the secret there and start Windlass again
        cannot use the secret `binary`: the file `DIR/binary` cannot be read: stream did not contain valid UTF-8
        cannot use the secret `large`: the file `DIR/large` is larger than a secret can be
        there is no secret `other`: add it to `[secrets]` of the configuration
        cannot use the secret `gone`: write it into the file `DIR/gone` and start Windlass again
        cannot use the secret `folder`: `DIR/.` is no file
        cannot use the secret `unset`: set the environment variable `WINDLASS_NOT_SET` and start Windlass again"#]].assert_eq(&errors.join("\n"));
}

#[test]
fn a_secret_is_never_shown_by_debug() {
    let (secrets, _dir) = load(&[("A", b"sk_live_1234")], 0o600);

    let shown = format!("{secrets:?} {:?}", secrets.fill("${secret:A}"));

    assert!(!shown.contains("sk_live"), "{shown}");
}

#[test]
fn a_short_secret_spoils_no_text() {
    let (secrets, _dir) = load(&[("pin", b"12345"), ("long", b"123456")], 0o600);

    assert_eq!(secrets.redact("12345 and 123456"), "12345 and ***");
    let statuses: Vec<_> = secrets.statuses().map(|(name, _, status)| (name, status)).collect();
    assert_eq!(statuses, [("long", SecretStatus::Usable), ("pin", SecretStatus::TooShort)]);
}

#[test]
fn text_without_a_secret_stays_as_it_is() {
    let (secrets, _dir) = load(&[("A", b"sk_live_1234")], 0o600);

    assert!(matches!(secrets.redact("100% of sk_live_123, \\ + café %s"), Cow::Borrowed(_)));
}

#[test]
fn a_number_that_is_a_secret_is_redacted_in_json() {
    let (secrets, _dir) = load(&[("A", b"123456")], 0o600);
    let told = serde_json::json!({"pin": 1_234_567, "n": 12});

    assert_eq!(secrets.redact_value(told), serde_json::json!({"pin": "***7", "n": 12}));
}

/// The ways in which text writes one character.
fn written(c: char, way: u8) -> String {
    let mut bytes = [0; 4];
    let bytes = c.encode_utf8(&mut bytes).bytes();
    match way {
        0 => c.to_string(),
        1 => bytes.map(|byte| format!("%{byte:02X}")).collect(),
        2 => bytes.map(|byte| format!("%{byte:02x}")).collect(),
        3 if c.is_ascii() => format!("\\u{:04x}", u32::from(c)),
        4 if c.is_ascii_punctuation() => format!("\\{c}"),
        _ => c.to_string(),
    }
}

proptest! {
    #[test]
    fn a_secret_is_found_however_its_characters_are_written(
        secret in "[ -~ü]{6,20}",
        ways in proptest::collection::vec(0_u8..5, 20),
        (before, after) in ("[a-z ü]{0,9}", "[a-z ü]{0,9}"),
    ) {
        let (secrets, _dir) = load(&[("A", secret.as_bytes())], 0o600);
        let told: String = secret.chars().zip(ways).map(|(c, way)| written(c, way)).collect();

        let clean = secrets.redact(&format!("{before}|{told}|{after}")).into_owned();

        prop_assert!(clean.contains("***"), "{clean}");
        prop_assert!(!clean.contains(&told), "{clean}");
    }

    #[test]
    fn a_secret_is_found_in_base64_wherever_it_stands(
        secret in "[ -~]{6,20}",
        (before, after) in ("[ -~]{0,9}", "[ -~]{0,9}"),
        is_url_safe: bool,
    ) {
        use base64::Engine as _;
        use base64::engine::general_purpose::{STANDARD, URL_SAFE};
        let (secrets, _dir) = load(&[("A", secret.as_bytes())], 0o600);
        let alphabet = if is_url_safe { URL_SAFE } else { STANDARD };
        let told = alphabet.encode(format!("{before}{secret}{after}"));

        let clean = secrets.redact(&told).into_owned();

        // What is left decides at most four bits on either side.
        prop_assert!(clean.contains("***"), "{told} -> {clean}");
        let n_left = clean.replace("***", "").trim_end_matches('=').len();
        prop_assert!(n_left <= (before.len() * 8).div_ceil(6) + (after.len() * 8).div_ceil(6) + 1, "{told} -> {clean}");
    }

    #[test]
    fn a_secret_is_found_in_every_encoding_wherever_it_stands(
        secret in "[ -~üß€😀]{6,20}",
        (before, after) in ("[a-z ü]{0,9}", "[a-z ü]{0,9}"),
        width in 1_usize..30,
    ) {
        let (secrets, _dir) = load(&[("A", secret.as_bytes())], 0o600);
        for (encoding, told) in encodings(&secret, width) {
            let clean = secrets.redact(&format!("{before}|{told}|{after}")).into_owned();

            prop_assert!(clean.contains("***"), "{encoding}: {told} -> {clean}");
            prop_assert!(clean.len() <= before.len() + after.len() + 9, "{encoding}: {told} -> {clean}");
        }
    }

    #[test]
    fn a_secret_is_found_in_base64_of_many_lines(
        secret in "[ -~ü]{9,40}",
        (before, after) in ("[ -~]{0,9}", "[ -~]{0,9}"),
        width in 1_usize..30,
        line_end in prop_oneof![Just("\n"), Just("\r\n"), Just("\\n"), Just("\\r\\n"), Just("%0D%0A"), Just("=\r\n")],
    ) {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let (secrets, _dir) = load(&[("A", secret.as_bytes())], 0o600);
        let told = wrapped(&STANDARD.encode(format!("{before}{secret}{after}")), width, line_end);

        let clean = secrets.redact(&told).into_owned();

        prop_assert!(clean.contains("***"), "{told} -> {clean}");
        let n_left = clean.replace("***", "").replace(line_end, "").trim_end_matches('=').len();
        prop_assert!(n_left <= (before.len() * 8).div_ceil(6) + (after.len() * 8).div_ceil(6) + 1, "{told} -> {clean}");
    }
}

/// The text in lines of so many characters.
fn wrapped(text: &str, width: usize, line_end: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(width).map(String::from_iter).collect::<Vec<_>>().join(line_end)
}

/// The text in each encoding that carries every character of it.
fn encodings(text: &str, width: usize) -> Vec<(&'static str, String)> {
    let bytes = |written: &dyn Fn(u8) -> String| text.bytes().map(written).collect::<String>();
    let json = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let html = |text: &str| {
        let pairs =
            [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('\'', "&#39;")];
        text.chars()
            .map(|c| {
                let named = pairs.iter().find(|(known, _)| *known == c);
                named.map_or(c.to_string(), |(_, name)| (*name).to_owned())
            })
            .collect::<String>()
    };
    let utf16: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let percent = bytes(&|byte| format!("%{byte:02X}"));
    let quoted: Vec<String> = text.bytes().map(|byte| format!("={byte:02X}")).collect();
    let hex = bytes(&|byte| format!("{byte:02x}"));
    vec![
        ("plain", text.to_owned()),
        ("percent", percent.clone()),
        ("percent in lower case", percent.to_lowercase()),
        ("percent twice", percent.replace('%', "%25")),
        ("percent thrice", percent.replace('%', "%2525")),
        ("form", text.replace('%', "%25").replace('+', "%2b").replace(' ', "+")),
        ("JSON", json(text)),
        ("JSON in JSON", json(&json(text))),
        ("JSON in JSON in JSON", json(&json(&json(text)))),
        ("JSON in ASCII", utf16.clone()),
        ("JSON in ASCII in JSON", json(&utf16)),
        ("HTML", html(text)),
        ("HTML in HTML", html(&html(text))),
        ("HTML numbers", text.chars().map(|c| format!("&#{};", u32::from(c))).collect()),
        ("HTML numbers in hex", text.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect()),
        ("quoted-printable", quoted.concat()),
        (
            "quoted-printable in lines",
            quoted.chunks(width).map(<[_]>::concat).collect::<Vec<_>>().join("=\r\n"),
        ),
        ("hex", hex.clone()),
        ("hex in upper case", hex.to_uppercase()),
        ("hex in lines", wrapped(&hex, width, "\n")),
        ("hex with colons", wrapped(&hex, 2, ":")),
        ("program text", bytes(&|byte| format!("\\x{byte:02x}"))),
    ]
}
