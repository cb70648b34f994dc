//! Damage at every place of a valid recipe: no panic, the function is there, and few errors follow.

use super::{body, errors};
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
    let content: TokenStream = RECIPE.parse().expect("a recipe is balanced");
    for content in damaged(&content, damage) {
        let text = content.to_string();
        let input = quote::quote! { pub web { #content } };
        let output = crate::expand_image(input, &Inputs::unchecked());
        assert!(body(&output).starts_with("fn web () ::kiln::Image::new(\"web\""), "{text}");
        let errors = errors(&output);
        assert!(errors.len() <= most, "{errors:#?}\n{text}");
    }
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
