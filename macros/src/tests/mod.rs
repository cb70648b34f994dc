//! Expansion snapshots, of valid and of half-typed recipes.

mod builder;
mod damaged;
mod deployment;
mod half_typed;
mod valid;

use crate::check::Inputs;
use proc_macro2::{TokenStream, TokenTree};

/// Expands a recipe whose inputs are not looked at.
fn expand(recipe: &str) -> TokenStream {
    let input = recipe.parse().expect("a recipe is balanced");
    crate::expand_image(input, &Inputs::unchecked())
}

/// Expands a deployment.
fn deployment(recipe: &str) -> TokenStream {
    let input = recipe.parse().expect("a recipe is balanced");
    crate::expand_deployment(input, &Inputs::unchecked())
}

/// What stands between the braces of an image's function, a call a line.
fn body(output: &TokenStream) -> String {
    body_of("Image", output)
}

/// What stands between the braces of the function that returns a type of `kiln`, a call a line.
fn body_of(returns: &str, output: &TokenStream) -> String {
    let trees: Vec<TokenTree> = output.clone().into_iter().collect();
    let function = trees.iter().position(|tree| tree.to_string() == "fn").expect("a function");
    let head: TokenStream = trees[function..function + 3].iter().cloned().collect();
    let result: TokenStream = trees[function + 3..function + 11].iter().cloned().collect();
    assert_eq!(result.to_string(), format!("-> :: kiln :: {returns}"), "the type of `{head}`");
    let body = match &trees[function + 11] {
        TokenTree::Group(group) => group.stream().to_string(),
        other => panic!("no body but {other}"),
    };
    let tight = [
        (" ::", "::"),
        (":: ", "::"),
        (" (", "("),
        (" !", "!"),
        (" ,", ","),
        ("& ", "&"),
        (" .", "."),
        (". ", "."),
    ];
    let body = tight.iter().fold(body, |text, (loose, tight)| text.replace(loose, tight));
    let body = body
        .replace(".layer(", "\n.layer(")
        .replace(".step(", "\n  .step(")
        .replace(".test(", "\n.test(");
    format!("{head} {}", body.trim())
}

/// The texts of all errors, wherever they stand.
fn errors(output: &TokenStream) -> Vec<String> {
    let mut errors = Vec::new();
    let trees: Vec<TokenTree> = output.clone().into_iter().collect();
    for (at, tree) in trees.iter().enumerate() {
        if let TokenTree::Group(group) = tree {
            if at > 1 && trees[at - 2].to_string() == "compile_error" {
                let text: syn::LitStr = syn::parse2(group.stream()).expect("a literal");
                errors.push(text.value());
            }
            errors.extend(self::errors(&group.stream()));
        }
    }
    errors
}
