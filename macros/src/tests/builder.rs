//! Where an image is baked, and `reboot`: valid and half-typed.

use super::half_typed::step;
use super::valid::check;
use super::{body, errors, expand};
use expect_test::expect;

#[test]
fn where_it_is_baked_is_a_chain_of_its_own() {
    check(
        r#"
        pub web(size: u32, place: Address, ours: fn() -> Ec2) {
            base: ami("ami-0123456789abcdef0"),
            builder: ec2 {
                region: "eu-west-1",
                instance_type: TYPE,
                security_groups: [sg(), "sg-0a1b2c3d"],
                volume: { size: size, kind: "gp3" },
                tags: { Name: "web", "cost:center": centre(), r#type: "x" },
                address: public,
            },
            layer kernel { apt: ["linux-image-cloud-amd64"], reboot, run: "uname -r" }
        }
        "#,
        &expect![[r#"
            fn web (size : u32 , place : Address , ours : fn () -> Ec2) ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(ami("ami-0123456789abcdef0")).builder(::kiln::ec2().region("eu-west-1").instance_type(TYPE).security_groups([sg(), "sg-0a1b2c3d"]).volume(::kiln::Volume::new().size(size).kind("gp3")).tags([("Name",::std::string::String::from("web")),("cost:center",::std::string::String::from(centre())),("type",::std::string::String::from("x"))]).address(::kiln::Address::Public))
            .layer(::kiln::Layer::new("kernel")
              .step(::kiln::step::apt(["linux-image-cloud-amd64"]))
              .step(::kiln::step::reboot())
              .step(::kiln::step::run("uname -r")))"#]],
    );
    check(
        r#"pub web { base: base(), builder: ec2 }"#,
        &expect![[
            r#"fn web () ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(base()).builder(::kiln::ec2())"#
        ]],
    );
    check(
        r#"pub web { base: base(), builder: ec2 {} }"#,
        &expect![[
            r#"fn web () ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(base()).builder(::kiln::ec2())"#
        ]],
    );
    check(
        r#"pub web { base: base(), builder: ours() { address: elsewhere(), volume: volume() } }"#,
        &expect![[
            r#"fn web () ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(base()).builder((ours()).address(elsewhere()).volume(volume()))"#
        ]],
    );
    check(
        r#"pub web(ec2: Ec2) { base: base(), builder: ec2 { tags: [("a:b", "c")] } }"#,
        &expect![[
            r#"fn web (ec2 : Ec2) ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(base()).builder((ec2).tags([("a:b", "c")]))"#
        ]],
    );
    check(
        r#"pub web { base: base(), builder: ec2().region("eu-west-1") }"#,
        &expect![[
            r#"fn web () ::kiln::Image::new("web",::core::env!("CARGO_MANIFEST_DIR")).base(base()).builder(ec2().region("eu-west-1"))"#
        ]],
    );
}

#[test]
fn what_is_said_of_region_and_type_stands_beside_the_function() {
    let beside = |builder: &str| {
        let output = expand(&format!("pub web(given: F) {{ base: below(), builder: {builder} }}"));
        assert_eq!(errors(&output), [""; 0], "{builder}");
        let text = output.to_string().replace(":: core :: option :: Option :: ", "");
        let start = text.find("CHAIN . above ()").expect("a chain") + 17;
        text[start..].split(';').next().unwrap_or_default().trim().to_owned()
    };
    for (builder, expected) in [
        ("ec2", ""),
        (r#"ec2 { subnet: "subnet-0a1b2c3d" }"#, ""),
        (r#"ec2 { region: "eu-west-1" }"#, r#". region (Some ("eu-west-1"))"#),
        (r#"ec2 { region: REGION }"#, ". region (None)"),
        (r#"ec2 { instance_type: "t4g.small" }"#, r#". architecture (Some ("arm64"))"#),
        (r#"ec2().instance_type("t3.small")"#, r#". architecture (Some ("amd64"))"#),
        ("ours()", ". region (None) . architecture (None)"),
        (
            r#"given { instance_type: "m7a.large" }"#,
            r#". region (None) . architecture (Some ("amd64"))"#,
        ),
    ] {
        assert_eq!(beside(builder), expected, "{builder}");
    }
}

#[test]
fn a_builder_that_is_only_begun() {
    for builder in [
        "builder",
        "builder:",
        "builder: ec",
        "builder: ec2.",
        "builder: ec2 { reg }",
        "builder: ec2 { region }",
        "builder: ec2 { region: }",
        "builder: ec2 { region: \"eu\" }",
        "builder: ec2 { volume: { si } }",
        "builder: ec2 { volume: { size: } }",
        "builder: ec2 { volume: {} }",
        "builder: ec2 { address: pub }",
        "builder: ec2 { address: priv }",
        "builder: ec2 { tags: { \"cost\" } }",
        "builder: ec2 { tags: { \"cost\": } }",
        "builder: ec2 { tags: { cost: b. } }",
    ] {
        let output = expand(&format!("pub web {{ base: scratch(), {builder} }}"));
        let mut errors = errors(&output);
        if let Err(error) = syn::parse2::<syn::File>(output.clone()) {
            errors.push(error.to_string());
        }
        assert_eq!(errors.len(), 1, "{builder}: {errors:#?}");
        assert!(body(&output).contains(".base(scratch())"), "{builder}");
    }
}

#[test]
fn a_reboot_beside_what_is_half_typed() {
    step(
        r#"reboot run: "x""#,
        &expect![[r#"
        error: expected `,` after this
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::reboot())
          .step(::kiln::step::run("x")))"#]],
    );
    step(
        r#"reboot: "#,
        &expect![[r#"
        error: `reboot` takes no value
        help: write `reboot,`
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        r#"reboo"#,
        &expect![[r#"
        error: unknown step `reboo`
        help: did you mean `reboot`?
        .base(scratch())
        .layer(::kiln::Layer::new("main"))"#]],
    );
    step(
        r#"reboot, run: "#,
        &expect![[r#"
        error: expected a string after `run:`, found nothing
        .base(scratch())
        .layer(::kiln::Layer::new("main")
          .step(::kiln::step::reboot()))"#]],
    );
}
