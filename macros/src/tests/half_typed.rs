//! Whatever is half-typed, the function is there with its name and its type, and there is one error.

use super::{body, errors, expand};
use expect_test::{Expect, expect};

fn check(recipe: &str, expected: &Expect) {
    let output = expand(recipe);
    let mut errors = errors(&output);
    if let Err(error) = syn::parse2::<syn::File>(output.clone()) {
        // The value passes through untouched, and rustc says what is wrong with it.
        errors.push(format!("(by the compiler) {error}"));
    }
    assert_eq!(errors.len(), 1, "{errors:#?}");
    let text = body(&output);
    let chain = text
        .strip_prefix("fn web () ::kiln::Image::new(\"web\",::core::env!(\"CARGO_MANIFEST_DIR\"))");
    let chain = chain.expect("the name and the beginning of the chain").trim();
    expected.assert_eq(&format!("error: {}\n{chain}", errors[0]));
}

/// A recipe whose only step is this.
pub(super) fn step(step: &str, expected: &Expect) {
    check(&format!("pub web {{ base: scratch(), layer main {{ {step} }} }}"), expected);
}

#[test]
fn a_value_that_ends_in_a_dot() {
    check(
        r#"pub web { base: debian("bookworm"). }"#,
        &expect![[r#"
        error: expected a method or a field after `.`
        .base(debian("bookworm") +::core::compile_error!("expected a method or a field after `.`"))"#]],
    );
    check(
        r#"pub web { base: debian("bookworm"). layer main { run: "x" } }"#,
        &expect![[r#"
        error: expected a method or a field after `.`
        .base(debian("bookworm") +::core::compile_error!("expected a method or a field after `.`"))
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("x")))"#]],
    );
    step(
        r#"run: text.trim()., run: "y""#,
        &expect![[r#"
        error: expected a method or a field after `.`
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run(text.trim() +::core::compile_error!("expected a method or a field after `.`")))
          .step(::kiln::step::run("y")))"#]],
    );
    step(
        r#"run: "x" { env: { A: b. } }"#,
        &expect![[r#"
        error: expected a method or a field after `.`
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("x").env([("A",::std::string::String::from(b +::core::compile_error!("expected a method or a field after `.`")))])))"#]],
    );
}

#[test]
fn a_value_that_is_no_expression_yet() {
    step(
        "run: std::env::",
        &expect![[r#"
        error: (by the compiler) unexpected end of input, expected identifier
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run(std::env::)))"#]],
    );
    step(
        r#"run: "a" + , run: "y""#,
        &expect![[r#"
        error: (by the compiler) unexpected end of input, expected an expression
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("a" +))
          .step(::kiln::step::run("y")))"#]],
    );
    step(
        "run: format(&x.), run: \"y\"",
        &expect![[r#"
        error: (by the compiler) unexpected end of input, expected identifier or integer
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run(format(&x.)))
          .step(::kiln::step::run("y")))"#]],
    );
    step(
        "run: a::<",
        &expect![[r#"
        error: (by the compiler) unexpected end of input, expected one of: `for`, parentheses, `unsafe`, `fn`, `extern`, identifier, `::`, `<`, `dyn`, square brackets, `*`, `&`, `!`, `impl`, `_`, lifetime
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run(a::<)))"#]],
    );
}

#[test]
fn a_value_that_is_missing() {
    check(
        "pub web { base: }",
        &expect![[r#"
        error: expected an expression after `base:`, found nothing
    "#]],
    );
    check(
        "pub web { base: layer main { run: \"x\" } }",
        &expect![[r#"
        error: expected an expression after `base:`, found nothing
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("x")))"#]],
    );
    step(
        "run:",
        &expect![[r#"
        error: expected a string after `run:`, found nothing
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        "run: run: \"y\"",
        &expect![[r#"
        error: expected a string after `run:`, found nothing
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("y")))"#]],
    );
    step(
        r#"copy: "a" =>"#,
        &expect![[r#"
        error: `copy` has no destination
        help: write `copy: "source" => "/destination"`
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        r#"copy: "a" => , run: "y""#,
        &expect![[r#"
        error: `copy` has no destination
        help: write `copy: "source" => "/destination"`
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("y")))"#]],
    );
    step(
        r#"copy: => "/a""#,
        &expect![[r#"
        error: expected `"source" => "/destination"` after `copy:`, found nothing
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        r#"copy: "a""#,
        &expect![[r#"
        error: `copy` has no destination
        help: write `copy: "source" => "/destination"`
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        r#"file: "/a" { content: "x", mode: }"#,
        &expect![[r#"
        error: expected a mode in octal, as in `0o644` after `mode:`, found nothing
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::file("/a").content("x")))"#]],
    );
}

#[test]
fn a_key_that_is_begun() {
    step(
        "ru",
        &expect![[r#"
        error: unknown step `ru`
        help: did you mean `run`?
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        "run",
        &expect![[r#"
        error: expected `:` and a string after `run`
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        r#"file: "/a" { content: "x", own }"#,
        &expect![[r#"
        error: unknown key `own` in `file`
        help: did you mean `owner`?
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::file("/a").content("x")))"#]],
    );
    step(
        r#"file: "/a" { content: "x", owner }"#,
        &expect![[r#"
        error: expected `:` and a string after `owner`
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::file("/a").content("x")))"#]],
    );
    check(
        "pub web { bas }",
        &expect![[r#"
        error: unknown key `bas` in an image
        help: did you mean `base`?
    "#]],
    );
    check(
        "pub web { base }",
        &expect![[r#"
        error: expected `:` and an expression after `base`
    "#]],
    );
    check(
        "pub web { base debian() }",
        &expect![[r#"
        error: expected `:` and an expression after `base`
    "#]],
    );
}

#[test]
fn a_comma_that_is_missing() {
    check(
        "pub web { base: scratch() layer main { run: \"x\" } }",
        &expect![[r#"
        error: expected `,` after this
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("x")))"#]],
    );
    step(
        r#"run: "x" run: "y""#,
        &expect![[r#"
        error: expected `,` after this
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("x"))
          .step(::kiln::step::run("y")))"#]],
    );
    step(
        r#"run: "x" { network: true } run: "y""#,
        &expect![[r#"
        error: expected `,` after this
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("x").network(true))
          .step(::kiln::step::run("y")))"#]],
    );
    step(
        r#"run: "x" { network: true user: "a" }"#,
        &expect![[r#"
        error: expected `,` after this
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::run("x").network(true).user("a")))"#]],
    );
}

#[test]
fn a_block_that_is_begun() {
    check(
        "pub web { base: scratch(), layer }",
        &expect![[r#"
        error: expected a name after `layer`
        help: write `layer name { … }`
        .base(scratch())"#]],
    );
    check(
        "pub web { base: scratch(), layer main }",
        &expect![[r#"
        error: expected `{ … }` after `layer main`
        .base(scratch())"#]],
    );
    check(
        "pub web { base: scratch(), layer main test a { tcp: 1 } }",
        &expect![[r#"
        error: expected `{ … }` after `layer main`
        .base(scratch())
        .test(::kiln::Test::new("a").tcp(1))"#]],
    );
    check(
        "pub web { base: scratch(), layer test a { tcp: 1 } }",
        &expect![[r#"
        error: expected a name after `layer`
        help: write `layer name { … }`
        .base(scratch())
        .test(::kiln::Test::new("a").tcp(1))"#]],
    );
    check(
        "pub web { base: scratch(), layer main {} }",
        &expect![[r#"
        error: layer `main` has no steps
        help: add a step, or remove the layer
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    check(
        "pub web { base: scratch(), test a {} }",
        &expect![[r#"
        error: a test needs exactly one of `run`, `http` and `tcp`
        .base(scratch())
        .test(::kiln::Test::new("a"))"#]],
    );
    check(
        "pub web { base: scratch(), lay main { run: \"x\" } }",
        &expect![[r#"
        error: unknown block `lay`
        help: did you mean `layer`?
        .base(scratch())"#]],
    );
}

#[test]
fn a_recipe_that_is_begun() {
    check(
        "pub web",
        &expect![[r#"
        error: expected `{ … }` after the name of the image
    "#]],
    );
    check(
        "pub web()",
        &expect![[r#"
        error: expected `{ … }` after the name of the image
    "#]],
    );
    check(
        "pub web {}",
        &expect![[r#"
        error: image `web` has no `base`
        help: start from `debian("bookworm")`, another image, or `scratch()`
    "#]],
    );
    check(
        "pub web { , }",
        &expect![[r#"
        error: expected a key, a `layer` or a `test`, found `,`
    "#]],
    );
    check(
        "pub web { base: scratch() } x",
        &expect![[r#"
        error: expected the end of the recipe, found `x`
        help: each recipe has an `image!` of its own
        .base(scratch())"#]],
    );
}

/// An editor completes at a marker that it inserts, and looks what stands before it up in the expansion
/// without the marker, by its place in the text.
#[test]
fn what_stands_before_the_cursor_keeps_its_place() {
    for recipe in [
        r#"pub web { base: debian("bookworm").$ }"#,
        r#"pub web { base: debian("bookworm").$, layer main { run: "x" } }"#,
        r#"pub web { base: scratch(), layer main { run: text.trim().$, run: "y" } }"#,
        r#"pub web { base: scratch(), layer main { run: "x" { env: { A: b.$ } }, cpoy: 1 } }"#,
        r#"pub web { base: scratch(), layer main { step: std::env::$ } }"#,
        r#"pub web { base: scratch(), layer main { copy: "a" => dest.$ { mode: 0o644 } } }"#,
        r#"pub web { base: scratch(), layer main { step: f(a, b.c.$) } }"#,
    ] {
        let actual = expand(&recipe.replace('$', "")).to_string();
        let marked = expand(&recipe.replace('$', "marker")).to_string();
        let cursor = marked.find("marker").expect("the marker reaches the expansion");
        // Up to the dot or colons, which may give way to an error.
        let before = marked[..cursor].trim_end_matches([' ', '.']);
        assert!(actual.starts_with(before), "{recipe}\n{actual}\n{marked}");
    }
}
