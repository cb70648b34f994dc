use super::{body, errors, expand};
use expect_test::{Expect, expect};

pub(super) fn check(recipe: &str, expected: &Expect) {
    let output = expand(recipe);
    assert_eq!(errors(&output), [""; 0]);
    syn::parse2::<syn::File>(output.clone()).expect("items");
    expected.assert_eq(&body(&output));
}

#[test]
fn a_recipe_is_one_chain_of_calls() {
    check(
        r#"
        /// Debian 12 with nginx
        /// and our site.
        pub web {
            base: debian("bookworm"),
            start: ["nginx"],
            layer site {
                apt: ["nginx"] { recommends: false },
                copy: "site/" => "/srv/www" { owner: "www-data", mode: 0o644 },
                step: my::redis("x").port(6379),
            }
            test serves { status: 200, http: "http://localhost/" }
        }
        "#,
        &expect![[r#"
            fn web () ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).doc("Debian 12 with nginx\nand our site.").base(debian("bookworm")).start(["nginx"])
            .layer(::kiln::Layer::new("site")
              .step(::kiln::step::apt(["nginx"]).recommends(false))
              .step(::kiln::step::copy("site/", "/srv/www").owner("www-data").mode(0o644))
              .step(my::redis("x").port(6379)))
            .test(::kiln::Test::new("serves").http("http://localhost/").status(200))"#]],
    );
}

#[test]
fn maps_become_pairs() {
    check(
        r#"
        pub web {
            base: scratch(),
            layer site {
                env: { A: "1", B: count.to_string() },
                template: "a.j2" => "/a" { vars: { workers: WORKERS, r#type: "x" } },
                template: "a.j2" => "/b" { vars: computed() },
                run: "x" { env: { C: "d" } },
            }
        }
        "#,
        &expect![[r#"
            fn web () ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(scratch())
            .layer(::kiln::Layer::new("site")
              .step(::kiln::step::env([("A",::std::string::String::from("1")),("B",::std::string::String::from(count.to_string()))]))
              .step(::kiln::step::template("a.j2", "/a").vars([("workers",::kiln::step::Value::from(WORKERS)),("type",::kiln::step::Value::from("x"))]))
              .step(::kiln::step::template("a.j2", "/b").vars(computed()))
              .step(::kiln::step::run("x").env([("C",::std::string::String::from("d"))])))"#]],
    );
}

#[test]
fn values_pass_through() {
    check(
        r#"
        pub web(version: &str, extra: Vec<String>) {
            base: crate::bases::common::<2, u8>("x").named("y"),
            start: if a { b } else { c },
            layer site {
                run: format!("{} {}", version, 1) { cwd: match x { _ => "/a" } },
                file: DEST { content: Table::<A, b::C>::new(|a: u8| a), mode: MODE },
                step: { let x = 1; own(x) },
                script: (Path { x: 1 }).text,
            }
        }
        "#,
        &expect![[r#"
            fn web (version : & str , extra : Vec < String >) ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(crate::bases::common::< 2, u8 >("x").named("y")).start(if a { b } else { c })
            .layer(::kiln::Layer::new("site")
              .step(::kiln::step::run(format!("{} {}", version, 1)).cwd(match x { _ => "/a" }))
              .step(::kiln::step::file(DEST).content(Table::< A, b::C >::new(| a : u8 | a)).mode(MODE))
              .step({ let x = 1 ; own(x) })
              .step(::kiln::step::script((Path { x : 1 }).text)))"#]],
    );
}

#[test]
fn the_type_beside_the_function_tells_what_stands_below() {
    const CHAIN: &str = "const CHAIN : :: kiln :: Chain = ";
    let impl_of = |base: &str| {
        let output = expand(&format!("pub web(given: F) {{ base: {base}, }}")).to_string();
        let at = output.find(CHAIN).expect("a chain");
        output[at + CHAIN.len()..].split(';').next().unwrap_or_default().trim().to_owned()
    };
    for (base, depth) in [
        ("debian(\"bookworm\").include([\"x\"])", "< debian > :: CHAIN . above ()"),
        ("crate::a::base(\"x\")", "< crate :: a :: base > :: CHAIN . above ()"),
        ("common::<u8>()?.named(\"y\")", "< common > :: CHAIN . above ()"),
        ("{ helper() }", ":: kiln :: Chain :: UNKNOWN"),
        ("variable", ":: kiln :: Chain :: UNKNOWN"),
        ("given()", ":: kiln :: Chain :: UNKNOWN"),
        ("Base::from(x)", ":: kiln :: Chain :: UNKNOWN"),
    ] {
        assert_eq!(impl_of(base), depth, "{base}");
    }
}
