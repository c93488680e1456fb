//! TypeScript: what runs is the file without its types, with the same lines and columns.

use windlass_core::ScriptPhase;
use windlass_sandbox::{Call, Ending, Script};

use crate::support::{call_in, run, sandbox, script};

/// The call of a producer whose file `receipts.ts` has these declarations and whose handler has that body.
fn typed(declarations: &str, body: &str) -> Call {
    let source = format!(
        "{declarations}\nconst workflow = {{ topics: {{ t: {{}} }}, producers: {{ record: {{ publishes: [\"t\"], \
         schedule: {{ interval: \"5m\" }}, handler: async (state: {{ n: number }}) => {{\n{body}\n}} }} }}, \
         consumers: {{ use: {{ subscribe: [\"t\"], prepare: () => ({{ reservations: [] }}) }} }} }};"
    );
    let call = call_in(ScriptPhase::Producer, &source);
    Call { script: as_typescript(call.script), ..call }
}

fn as_typescript(script: Script) -> Script {
    Script { name: "receipts.ts".into(), ..script }
}

/// Declarations, a body, and what it returns, as JSON.
const TYPED: &[(&str, &str, &str)] = &[
    (
        "type A = { a: string };\ninterface B extends A { b?: number }",
        "const x: A & B = { a: 'x' }; return x.a",
        r#""x""#,
    ),
    ("declare const outside: string;\ndeclare function gone(): void;", "return state.n", "1"),
    (
        "function f(a: string): string;\nfunction f(a: number): string;\nfunction f(a: any): string { return `${a}` }",
        "return f(state.n)",
        r#""1""#,
    ),
    (
        "function g<T extends object, U = string>(this: void, a?: T, ...rest: U[]): U | undefined { return rest[0] }",
        "return g<object, string>({}, 'r')!",
        r#""r""#,
    ),
    ("const h = (\n  a: number,\n): {\n  b: number;\n} => ({ b: a });", "return h(state.n).b", "1"),
    ("const i = async <\n  T,\n>(a: T): Promise<T> => a;", "return await i<number>(2)", "2"),
    ("", "return <\n  T,\n>(a: T) => a, 3", "3"),
    (
        "",
        "const a = state.n as number\n;[1].forEach(() => {})\nreturn a as unknown as string satisfies string",
        "1",
    ),
    ("", "let a = 1\nlet b = a as number\n(7)\nreturn b", "1"),
    ("", "let a = 1\ntype B = number\n(7)\nreturn a", "1"),
    ("", "const a = <number>state.n; return (<any>a) + 1", "2"),
    ("", "let a!: number; a = 4; try { throw 1 } catch (e: unknown) { return a! }", "4"),
    (
        "abstract class A<T> implements Iterable<T>, B { private readonly x: number = 1\n protected ['y']?: string\n declare z: T\n abstract f(): void;\n static s?: number\n s!: number\n [key: string]: any\n g(this: A<T>, q?: T): number { return this.x }\n [Symbol.iterator](): any {} }\nclass C extends A<string> { override g(): number { return 5 } }\ninterface B {}",
        "return new C().g()",
        "5",
    ),
    (
        "const k = { a: 1, 'ü€𝒳': 'x' } as const; /* ü */ type K = 'ü€𝒳';",
        "return k['ü€𝒳' as K]",
        r#""x""#,
    ),
    (
        "const l = [1, 2] satisfies number[];",
        "for (const x of l as number[]) { if (x > 1) return x as number; else continue }",
        "2",
    ),
    (
        "enumerate: for (const x of [1]) { continue enumerate }",
        "const { a, b }: { a: number; b?: string } = { a: 6 }; return a ?? (b as any)",
        "6",
    ),
];

#[tokio::test]
async fn every_kind_of_type_is_taken_out() {
    let sandbox = sandbox();
    for (declarations, body, returned) in TYPED {
        let returned = serde_json::from_str(returned).unwrap();
        let report = run(&sandbox, typed(declarations, body)).await;

        assert_eq!(report.ending, Ending::Returned(Some(returned)), "{declarations}\n{body}");
    }
}

#[tokio::test]
async fn a_failure_shows_the_line_as_it_was_written() {
    let call = typed(
        "type Ü = {\n  𝒳: string;\n};",
        "const a: string = '𝒳' as string; throw new Error(a as any)",
    );

    let Ending::Failed(failure) = run(&sandbox(), call).await.ending else { panic!() };

    let at = failure.at.unwrap();
    assert_eq!((&*at.file, at.line, at.column), ("receipts.ts", 5, 41));
    assert_eq!(
        at.source_line.unwrap(),
        "const a: string = '𝒳' as string; throw new Error(a as any)"
    );
}

#[tokio::test]
async fn what_is_more_than_a_type_is_refused_with_its_place() {
    let cases = [
        ("enum A { X }", 1, 1),
        ("\n  namespace N { export const x = 1 }", 2, 3),
        ("const f = (x) => x;\nclass A { @f m() {} }", 2, 11),
        ("class A { constructor(private x: number) {} }", 1, 23),
        ("const f = () => <any>{};", 1, 17),
        ("const a: = 1;", 1, 10),
    ];
    for (source, line, column) in cases {
        let call = typed(source, "");
        let problems = sandbox().check(call.script.clone(), "UTC").await.unwrap_err();
        let at: Vec<_> = problems.iter().map(|it| (it.line, it.column)).collect();
        assert_eq!(at, [(Some(line), Some(column))], "{source}: {problems:?}");

        let Ending::Failed(failure) = run(&sandbox(), call).await.ending else { panic!() };
        let at = failure.at.unwrap();
        assert_eq!((at.line, at.column), (line, column), "{source}");
    }
}

#[tokio::test]
async fn the_rules_of_the_check_hold_for_typescript() {
    let sandbox = sandbox();
    let valid = typed(
        "interface Mail { id: string }",
        "const m = await Files.read({ path: 'a' }) as Mail; return m.id!",
    )
    .script;
    let tools = sandbox.tools_of(&valid).await;
    assert_eq!(tools.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Files.read"]);
    sandbox.check(valid, "UTC").await.unwrap();

    let invalid = typed("let n: number = 0", "Files.read({ path: 'a' } as any)").script;
    let problems = sandbox.check(invalid, "UTC").await.unwrap_err();

    let found: Vec<_> = problems.iter().map(|it| (&*it.code, it.line)).collect();
    assert_eq!(found, [("mutable_global", Some(1)), ("unawaited_call", Some(3))]);
}

#[tokio::test]
async fn a_deeply_nested_file_ends_nothing() {
    let source = format!("const a: number = {}1{};", "(".repeat(2_000), ")".repeat(2_000));
    let long = format!("{source}\n// {}", "x".repeat(70_000));

    for source in [source, long] {
        assert!(sandbox().check(as_typescript(script(&source)), "UTC").await.is_err());
    }
}
