//! Deployments: valid and half-typed.

use super::{body_of, deployment, errors};
use expect_test::{Expect, expect};

fn valid(recipe: &str, expected: &Expect) {
    let output = deployment(recipe);
    assert_eq!(errors(&output), [""; 0]);
    syn::parse2::<syn::File>(output.clone()).expect("items");
    expected.assert_eq(&body_of("Deployment", &output));
}

/// Whatever is half-typed, the function is there with its name and its type, and there is one error.
fn half(recipe: &str, expected: &Expect) {
    let output = deployment(recipe);
    let mut errors = errors(&output);
    if let Err(error) = syn::parse2::<syn::File>(output.clone()) {
        errors.push(format!("(by the compiler) {error}"));
    }
    assert_eq!(errors.len(), 1, "{recipe}: {errors:#?}");
    let text = body_of("Deployment", &output);
    let chain = text.strip_prefix("fn production () ::kiln::Deployment::new(\"production\")");
    let chain = chain.expect("the name and the beginning of the chain").trim();
    expected.assert_eq(&format!("error: {}\n{chain}", errors[0]));
}

/// A deployment that says this beside its image and its target.
fn key(key: &str, expected: &Expect) {
    half(&format!("pub production {{ image: web(), target: ec2, {key} }}"), expected);
}

#[test]
fn a_deployment_is_one_chain_of_calls() {
    valid(
        r#"
        /// The shop.
        pub production(version: &str) {
            image: app(version),
            target: ec2 { region: "eu-west-1", volume: { size: 16 }, public_address: true },
            replicas: { min: 2, desired: 3, max: 6 },
            ports: [80, 443],
            health: http { port: 80, path: "/healthz", soak: "30s" },
            strategy: red_black { keep_previous: 2 },
            load_balancer: application { to: 80, from: ["10.0.0.0/8"] },
            tags: { team: "web", "cost:center": centre() },
        }
        "#,
        &expect![[
            r#"fn production (version : & str) ::kiln::Deployment::new("production").doc("The shop.").image(app(version)).target(::kiln::target::ec2().region("eu-west-1").volume(::kiln::Volume::new().size(16)).public_address(true)).replicas(::kiln::ReplicaBounds::new().min(2).desired(3).max(6)).ports([80, 443]).health(::kiln::health::http().port(80).path("/healthz").soak("30s")).strategy(::kiln::strategy::red_black().keep_previous(2)).load_balancer(::kiln::load_balancer::application().to(80).from(["10.0.0.0/8"])).tags([("team",::std::string::String::from("web")),("cost:center",::std::string::String::from(centre()))])"#
        ]],
    );
    valid(
        r#"pub production { target: ec2, image: web() }"#,
        &expect![[
            r#"fn production () ::kiln::Deployment::new("production").target(::kiln::target::ec2()).image(web())"#
        ]],
    );
    valid(
        r#"pub production {
            health: tcp,
            image: web(),
            strategy: rolling {},
            ports: [80],
            target: ec2,
            replicas: 0,
            load_balancer: target_group { arn: ARN },
        }"#,
        &expect![[
            r#"fn production () ::kiln::Deployment::new("production").health(::kiln::health::tcp()).image(web()).strategy(::kiln::strategy::rolling()).ports([80]).target(::kiln::target::ec2()).replicas(0).load_balancer(::kiln::load_balancer::target_group().arn(ARN))"#
        ]],
    );
}

#[test]
fn any_word_may_be_an_expression() {
    valid(
        r#"pub production(tcp: Check, ours: &Shared) {
            image: { helper() },
            target: ours.target() { region: ours.region },
            replicas: ours.count,
            ports: ours.ports.clone(),
            health: tcp { interval: "5s" },
            strategy: if ours.slow { slow() } else { fast() },
            load_balancer: kiln::load_balancer::network().internal(true) { listen: 22 },
            tags: [("a:b", "c")],
        }"#,
        &expect![[
            r#"fn production (tcp : Check , ours : & Shared) ::kiln::Deployment::new("production").image({ helper() }).target((ours.target()).region(ours.region)).replicas(ours.count).ports(ours.ports.clone()).health((tcp).interval("5s")).strategy(if ours.slow { slow() } else { fast() }).load_balancer((kiln::load_balancer::network().internal(true)).listen(22)).tags([("a:b", "c")])"#
        ]],
    );
}

#[test]
fn what_is_known_of_image_and_target_is_asserted() {
    let asserted = |image: &str, target: &str| {
        let recipe = format!("pub production(given: F) {{ image: {image}, target: {target} }}");
        let output = deployment(&recipe);
        assert_eq!(errors(&output), [""; 0], "{recipe}");
        let text = output.to_string();
        let start = |at: usize| at + ":: CHAIN . ".len();
        let found = text.match_indices(":: CHAIN . ").map(|(at, _)| {
            let rest = &text[start(at)..];
            rest[..rest.find(" ,").unwrap_or(rest.len())].to_owned()
        });
        found.collect::<Vec<_>>()
    };
    let amd64 = r#"executes ("amd64")"#;
    assert_eq!(asserted("web()", "ec2"), [amd64]);
    assert_eq!(asserted("web()", "ec2 { instance_type: TYPE }"), [""; 0]);
    assert_eq!(
        asserted("web()", r#"ec2 { instance_type: "c7g.large" }"#),
        [r#"executes ("arm64")"#]
    );
    let both = [amd64, r#"lies_in ("eu-west-1")"#];
    assert_eq!(asserted("a::web(1).named(\"x\")", r#"ec2 { region: "eu-west-1" }"#), both);
    assert_eq!(asserted("web()", r#"target::ec2().region("eu-west-1")"#), both);
    assert_eq!(asserted("web()", "ours()"), [""; 0]);
    assert_eq!(
        asserted("web()", r#"ours() { region: "eu-west-1" }"#),
        [r#"lies_in ("eu-west-1")"#]
    );
    for opaque in ["{ helper() }", "given()", "variable", "Image::new(a, b)"] {
        assert_eq!(asserted(opaque, r#"ec2 { region: "eu-west-1" }"#), [""; 0], "{opaque}");
    }
}

#[test]
fn a_deployment_that_is_begun() {
    half(
        "pub production",
        &expect![[r#"
        error: expected `{ … }` after the name of the deployment
    "#]],
    );
    half(
        "pub production()",
        &expect![[r#"
        error: expected `{ … }` after the name of the deployment
    "#]],
    );
    half(
        "pub production { image: web() }",
        &expect![[r#"
        error: deployment `production` has no `target`
        help: add `target: ec2 { region: "eu-west-1" }`
        .image(web())"#]],
    );
    half(
        "pub production { , }",
        &expect![[r#"
        error: expected a key, found `,`
    "#]],
    );
    half(
        "pub production { image: web(), target: ec2 } x",
        &expect![[r#"
        error: expected the end of the recipe, found `x`
        help: each recipe has a `deployment!` of its own
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    half(
        "pub production { image: web()., target: ec2 }",
        &expect![[r#"
        error: expected a method or a field after `.`
        .image(web() +::core::compile_error!("expected a method or a field after `.`")).target(::kiln::target::ec2())"#]],
    );
    half(
        "pub production { image: , target: ec2 }",
        &expect![[r#"
        error: expected an expression after `image:`, found nothing
        .target(::kiln::target::ec2())"#]],
    );
    half(
        "pub production { image target: ec2 }",
        &expect![[r#"
        error: expected `:` and an expression after `image`
        .target(::kiln::target::ec2())"#]],
    );
    half(
        "pub production { image: web() target: ec2 }",
        &expect![[r#"
        error: expected `,` after this
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    half(
        "pub production { image: web(), targ }",
        &expect![[r#"
        error: unknown key `targ` in a deployment
        help: did you mean `target`?
        .image(web())"#]],
    );
}

#[test]
fn a_word_that_is_begun() {
    key(
        "health",
        &expect![[r#"
        error: expected `:` and `http` or `tcp` after `health`
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    key(
        "health:",
        &expect![[r#"
        error: expected `http` or `tcp` after `health:`, found nothing
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    key(
        "health: ht",
        &expect![[r#"
        error: unknown health check `ht`
        help: did you mean `http`?
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    key(
        "health: http.",
        &expect![[r#"
        error: expected a method or a field after `.`
        .image(web()).target(::kiln::target::ec2()).health(http +::core::compile_error!("expected a method or a field after `.`"))"#]],
    );
    key(
        "health: http { po }",
        &expect![[r#"
        error: unknown key `po` in `http`
        help: did you mean `port`?
        .image(web()).target(::kiln::target::ec2()).health(::kiln::health::http())"#]],
    );
    key(
        "health: http { port }",
        &expect![[r#"
        error: expected `:` and a port number after `port`
        .image(web()).target(::kiln::target::ec2()).health(::kiln::health::http())"#]],
    );
    key(
        "health: http { port: }, ports: [80]",
        &expect![[r#"
        error: expected a port number after `port:`, found nothing
        .image(web()).target(::kiln::target::ec2()).health(::kiln::health::http()).ports([80])"#]],
    );
    key(
        "health: health::, ports: [80]",
        &expect![[r#"
        error: (by the compiler) unexpected end of input, expected identifier
        .image(web()).target(::kiln::target::ec2()).health(health::).ports([80])"#]],
    );
    key(
        "health http {}, ports: [80]",
        &expect![[r#"
        error: expected `:` and `http` or `tcp` after `health`
        .image(web()).target(::kiln::target::ec2()).ports([80])"#]],
    );
    key(
        "health: http ports: [80]",
        &expect![[r#"
        error: expected `,` after this
        .image(web()).target(::kiln::target::ec2()).health(::kiln::health::http()).ports([80])"#]],
    );
}

#[test]
fn values_that_are_begun() {
    key(
        "replicas: { mi }",
        &expect![[r#"
        error: unknown key `mi` in `replicas`
        help: did you mean `min`?
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    key(
        "replicas: { min: }",
        &expect![[r#"
        error: expected a whole number after `min:`, found nothing
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    key(
        "ports: [80, ]., health: tcp",
        &expect![[r#"
        error: expected a method or a field after `.`
        .image(web()).target(::kiln::target::ec2()).ports([80,] +::core::compile_error!("expected a method or a field after `.`")).health(::kiln::health::tcp())"#]],
    );
    key(
        "load_balancer: target_group { arn }",
        &expect![[r#"
        error: expected `:` and a string after `arn`
        .image(web()).target(::kiln::target::ec2()).load_balancer(::kiln::load_balancer::target_group())"#]],
    );
    key(
        "load_balancer: target_group",
        &expect![[r#"
        error: `target_group` needs `arn`
        .image(web()).target(::kiln::target::ec2()).load_balancer(::kiln::load_balancer::target_group())"#]],
    );
    key(
        "strategy: rolling { step: count. }",
        &expect![[r#"
        error: expected a method or a field after `.`
        .image(web()).target(::kiln::target::ec2()).strategy(::kiln::strategy::rolling()
          .step(count +::core::compile_error!("expected a method or a field after `.`")))"#]],
    );
    key(
        "tags: { \"cost\" }",
        &expect![[r#"
        error: expected a name, found `"cost"`
        .image(web()).target(::kiln::target::ec2())"#]],
    );
    key(
        "strategy: red_black { keep }",
        &expect![[r#"
        error: unknown key `keep` in `red_black`
        help: did you mean `keep_previous`?
        .image(web()).target(::kiln::target::ec2()).strategy(::kiln::strategy::red_black())"#]],
    );
}

/// As of images: an editor looks up what stands before its cursor by its place in the text.
#[test]
fn what_stands_before_the_cursor_keeps_its_place() {
    for recipe in [
        "pub production { image: web().$, target: ec2 }",
        "pub production { image: web(), target: ec2 { region: ours.$ }, replcas: 3 }",
        "pub production { image: web(), target: target::ec2().$ }",
        "pub production { image: web(), target: ec2, health: health::$ }",
        "pub production { image: web(), target: ours() { subnets: net.$ }, ports: [80, 80] }",
        "pub production { image: web(), target: ec2, replicas: { min: a.$, max: 3 } }",
    ] {
        let actual = deployment(&recipe.replace('$', "")).to_string();
        let marked = deployment(&recipe.replace('$', "marker")).to_string();
        let cursor = marked.find("marker").expect("the marker reaches the expansion");
        let before = marked[..cursor].trim_end_matches([' ', '.']);
        assert!(actual.starts_with(before), "{recipe}\n{actual}\n{marked}");
    }
}
