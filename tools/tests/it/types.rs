//! The TypeScript declarations of the tools.

use windlass_tools::typescript::declarations;

use crate::world::World;

#[test]
fn the_declarations_of_everything_that_a_script_can_call() {
    expect_test::expect_file!["types.d.ts"].assert_eq(&declarations(&World::new().registry));
}

#[test]
fn the_declarations_are_typescript() {
    let text = declarations(&World::new().registry);
    let allocator = oxc_allocator::Allocator::default();

    let parsed = oxc_parser::Parser::new(&allocator, &text, oxc_span::SourceType::d_ts()).parse();

    assert!(parsed.diagnostics.is_empty() && !parsed.panicked, "{:?}", parsed.diagnostics);
}
