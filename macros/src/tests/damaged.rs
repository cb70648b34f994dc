//! Damage at every place of a valid recipe: no panic, the function is there, and few errors follow.

use super::{body, body_of, errors};
use crate::check::Inputs;
use proc_macro2::{Group, TokenStream, TokenTree};

const RECIPE: &str = r#"
    base: debian("bookworm").include(["dbus"]),
    builder: ec2 {
        region: "eu-west-1",
        instance_type: TYPE,
        security_groups: ["sg-0a1b2c3d"],
        volume: { size: 16, kind: "gp3" },
        tags: { team: "web", "cost:center": centre() },
        address: private,
    },
    start: ["nginx", "-g", "daemon off;"],
    layer site {
        apt: ["nginx"] { recommends: false },
        copy: "site/" => "/srv/www" { owner: "www-data", mode: 0o644 },
        template: "a.j2" => "/etc/a" { vars: { workers: WORKERS }, mode: 0o600 },
        file: "/etc/motd" { content: format!("{x}") },
        user: "deploy" { uid: 900, groups: ["adm"] },
        env: { A: "1", B: b() },
        reboot,
        run: std::env::var("X").unwrap() { network: true, timeout: "10m" },
        step: my::redis::<A, B>("x").port(6379),
    }
    test serves { http: "http://localhost/", status: 200 }
    test opens { tcp: 80 }
"#;

const DEPLOYMENT: &str = r#"
    image: app("1.2").named("app-1.2"),
    target: ec2 {
        region: "eu-west-1",
        instance_type: TYPE,
        subnets: ["subnet-0a1b2c3d", "subnet-1a1b2c3d"],
        security_groups: ["sg-0a1b2c3d"],
        volume: { size: 16, kind: "gp3" },
        public_address: true,
    },
    replicas: { min: 2, desired: count(), max: 6 },
    ports: [80, 443],
    health: http { port: 80, path: "/healthz", status: 200, timeout: "5s", healthy: 3, soak: wait() },
    strategy: red_black { keep_previous: 1 },
    load_balancer: application {
        listen: 443,
        to: 443,
        internal: true,
        from: ["10.0.0.0/8"],
        certificate: ARN,
        drain: "30s",
    },
    tags: { team: "web", "cost:center": centre() },
"#;

/// Every stream that differs from this one in one place, at any depth.
fn damaged(stream: &TokenStream, damage: fn(&mut Vec<TokenTree>, usize)) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = stream.clone().into_iter().collect();
    let mut all = Vec::new();
    for at in 0..trees.len() {
        let mut changed = trees.clone();
        damage(&mut changed, at);
        all.push(changed.into_iter().collect());
        if let TokenTree::Group(group) = &trees[at] {
            for inner in damaged(&group.stream(), damage) {
                let mut changed = trees.clone();
                changed[at] = Group::new(group.delimiter(), inner).into();
                all.push(changed.into_iter().collect());
            }
        }
    }
    all
}

fn check(damage: fn(&mut Vec<TokenTree>, usize), most: usize) {
    for content in damaged(&RECIPE.parse().expect("a recipe is balanced"), damage) {
        let input = quote::quote! { pub web { #content } };
        let output = crate::expand_image(input, &Inputs::unchecked());
        judge(&content, &output, body(&output), "fn web () ::kiln::Image::new(\"web\"", most);
    }
    for content in damaged(&DEPLOYMENT.parse().expect("a recipe is balanced"), damage) {
        let input = quote::quote! { pub web { #content } };
        let output = crate::expand_deployment(input, &Inputs::unchecked());
        let body = body_of("Deployment", &output);
        judge(&content, &output, body, "fn web () ::kiln::Deployment::new(\"web\"", most);
    }
}

fn judge(content: &TokenStream, output: &TokenStream, body: String, start: &str, most: usize) {
    assert!(body.starts_with(start), "{content}");
    let errors = errors(output);
    assert!(errors.len() <= most, "{errors:#?}\n{content}");
}

#[test]
fn any_token_may_be_missing() {
    check(|trees, at| drop(trees.remove(at)), 2);
}

#[test]
fn anything_may_end_early() {
    check(|trees, at| trees.truncate(at), 1);
}

#[test]
fn any_token_may_be_doubled() {
    check(|trees, at| trees.insert(at, trees[at].clone()), 2);
}
