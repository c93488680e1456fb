//! `URL`, `TextEncoder`, `sha256` and the other globals that are no access to anything outside.

use serde_json::{Value, json};
use windlass_core::ScriptLimits;

use crate::support::{failure, limits, prepare, returned, run, sandbox, sandbox_with};

/// What each expression is.
async fn check(cases: &[(&str, Value)]) {
    let sandbox = sandbox();
    for (expression, expected) in cases {
        let report = run(&sandbox, prepare(&format!("return ({expression});"))).await;
        assert_eq!(&returned(&report), expected, "{expression}");
    }
}

#[tokio::test]
async fn addresses() {
    check(&[
        (
            "(({ origin, host, pathname, search, hash }) => [origin, host, pathname, search, hash])\
             (new URL('../b?x=1#y', 'https://Example.com:8443/a/c/'))",
            json!(["https://example.com:8443", "example.com:8443", "/a/b", "?x=1", "#y"]),
        ),
        ("String(new URL('https://a.example'))", json!("https://a.example/")),
        ("JSON.stringify({ at: new URL('http://ü.example/ä ö') })", json!(r#"{"at":"http://xn--tda.example/%C3%A4%20%C3%B6"}"#)),
        ("URL.canParse('nowhere') || URL.parse('nowhere')", json!(null)),
        ("URL.canParse('/x', 'http://a.example')", json!(true)),
        ("new URL('http://u:p@a.example:80/').port", json!("")),
        ("(() => { const u = new URL('http://a.example/x'); u.pathname = '/y z'; u.port = '81'; u.hash = 'h'; return u.href; })()", json!("http://a.example:81/y%20z#h")),
        ("(() => { const u = new URL('http://a.example/'); u.port = 'none'; return u.href; })()", json!("http://a.example/")),
        ("(() => { try { new URL('nowhere'); } catch (error) { return `${error}`; } })()", json!("TypeError: Invalid URL: nowhere")),
        ("new URL('http://a.example') instanceof URL", json!(true)),
        ("Object.keys(URL).concat(typeof URL.part, typeof URLSearchParams.link)", json!(["undefined", "undefined"])),
    ])
    .await;
}

#[tokio::test]
async fn parameters_of_addresses() {
    check(&[
        ("String(new URLSearchParams({ q: 'a b&c', ü: '~*!' }))", json!("q=a+b%26c&%C3%BC=%7E*%21")),
        ("[...new URLSearchParams('?a=1&b=%C3%BC+x&a=2&c&d=100%')]", json!([["a", "1"], ["b", "ü x"], ["a", "2"], ["c", ""], ["d", "100%"]])),
        ("new URLSearchParams([['a', '1'], ['a', '2']]).getAll('a')", json!(["1", "2"])),
        ("(() => { const p = new URLSearchParams('b=1&a=2&b=3'); p.set('b', '4'); p.append('c', 5); p.sort(); return `${p} ${p.size} ${p.has('a')} ${p.get('z')}`; })()", json!("a=2&b=4&c=5 3 true null")),
        ("(() => { const u = new URL('http://a.example/?x=1'); u.searchParams.append('y', 'ä'); const { href } = u; u.search = '?z=3'; return [href, u.searchParams.get('z'), u.searchParams.has('x')]; })()", json!(["http://a.example/?x=1&y=%C3%A4", "3", false])),
        ("(() => { const u = new URL('http://a.example/?x=1'); u.searchParams.delete('x'); return u.href; })()", json!("http://a.example/")),
        ("new URLSearchParams('a=%ff%E4').get('a')", json!("\u{fffd}\u{fffd}")),
    ])
    .await;
}

#[tokio::test]
async fn texts_and_bytes() {
    check(&[
        ("[...new TextEncoder().encode('aé€😀\\ud800')]", json!([97, 195, 169, 226, 130, 172, 240, 159, 152, 128, 239, 191, 189])),
        ("new TextDecoder().decode(new TextEncoder().encode('aé€😀'))", json!("aé€😀")),
        ("new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff]))", json!("a\u{fffd}")),
        ("new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).length", json!(2)),
        ("new TextDecoder('latin1').decode(new Uint8Array([0xe4, 0x80]))", json!("ä€")),
        ("new TextDecoder('utf-16le').decode(new Uint8Array([0x61, 0]).buffer)", json!("a")),
        ("(() => { try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])); } catch (error) { return error.name; } })()", json!("TypeError")),
        ("(() => { try { new TextDecoder('klingon'); } catch (error) { return error.name; } })()", json!("RangeError")),
        ("btoa('ä') + atob(btoa('any'))", json!("5A==any")),
        ("(() => { try { btoa('€'); } catch (error) { return error.name; } })()", json!("RangeError")),
        ("sha256('')", json!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
        ("sha256('ä') === sha256(new TextEncoder().encode('ä'))", json!(true)),
        ("sha256(new Uint8Array([0, 97, 98, 99, 0]).subarray(1, 4))", json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
    ])
    .await;
}

#[tokio::test]
async fn deep_copies() {
    check(&[
        (
            "(() => { const a = { d: new Date(5), m: new Map([[1, { x: 1 }]]), s: new Set([2]), b: new Uint8Array([3]), r: /x/gi, u: undefined }; \
             a.self = a; const c = structuredClone(a); a.m.get(1).x = 2; a.b[0] = 9; \
             return [c.self === c, c !== a, c.d.getTime(), c.m.get(1).x, [...c.s], c.b[0], `${c.r}`, 'u' in c]; })()",
            json!([true, true, 5, 1, [2], 3, "/x/gi", true]),
        ),
        ("(() => { try { structuredClone({ f() {} }); } catch (error) { return error.name; } })()", json!("TypeError")),
        ("`${structuredClone(new RangeError('far'))}`", json!("RangeError: far")),
    ])
    .await;
}

#[tokio::test]
async fn tables() {
    check(&[
        (
            "parseCsv('a,b\\r\\n\"x,\"\"1\"\"\\ny\",\\n\\n,\\n')",
            json!([["a", "b"], ["x,\"1\"\ny", ""], ["", ""]]),
        ),
        (
            "parseCsv('\\ufeffid;n\\n1;ä\\n2', { separator: ';', header: true })",
            json!([{"id": "1", "n": "ä"}, {"id": "2", "n": ""}]),
        ),
        ("parseCsv('')", json!([])),
        (
            "formatCsv([['a', 1, null], ['x,\"y\"', ' z', 'l\\nm']])",
            json!("a,1,\n\"x,\"\"y\"\"\",\" z\",\"l\nm\"\n"),
        ),
        ("formatCsv([{ a: 1 }, { b: 2 }], { separator: '\\t' })", json!("a\tb\n1\t\n\t2\n")),
        (
            "parseCsv(formatCsv([['', 'x'], [''], ['\"', ',', '\\r\\n']]))",
            json!([["", "x"], ["\"", ",", "\r\n"]]),
        ),
        (
            "(() => { try { parseCsv('a\\n\"b'); } catch (error) { return error.message; } })()",
            json!("a quote in row 2 of the CSV text has no end"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_script_may_use_their_names_for_its_own() {
    let own = "const URL = 'https://a.example'; function sha256() { return 'mine'; }\n\
         const workflow = { consumers: { record: { prepare: () => [URL, sha256(), typeof URLSearchParams] } } };";
    let call = crate::support::call_in(windlass_core::ScriptPhase::Prepare, own);

    let report = run(&sandbox(), call).await;

    assert_eq!(returned(&report), json!(["https://a.example", "mine", "function"]));
}

#[tokio::test]
async fn they_obey_the_limits_of_a_call() {
    let sandbox = sandbox_with(ScriptLimits { cpu_time_ms: 1_000, ..limits() }, 1);
    let bombs = [
        "let text = 'x'; for (;;) { text += text; sha256(text); }",
        "for (;;) new URL('https://a.example/' + 'x'.repeat(100_000));",
        "const rows = []; for (;;) rows.push(...parseCsv('a,b\\n'.repeat(10_000)));",
        "const all = []; for (;;) all.push(new TextEncoder().encode('x'.repeat(100_000)));",
        "const deep = {}; let at = deep; for (let n = 0; n < 1e5; n++) at = at.next = {}; structuredClone(deep);",
    ];
    for bomb in bombs {
        let failed = failure(&run(&sandbox, prepare(bomb)).await);
        assert!(
            failed.contains("at receipts.js:2") || failed.contains("limit"),
            "{bomb}: {failed}"
        );
        assert_eq!(
            returned(&run(&sandbox, prepare("return sha256('a').length;")).await),
            json!(64)
        );
    }
}
