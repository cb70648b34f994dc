//! `image!` and `deployment!`: machine images, and what runs of them, as ordinary Rust functions.
//!
//! The pipeline, each stage in a module of its own: `ast` reads tokens and never fails on a value,
//! `check` turns the raw tree into a `valid` one against the tables of `schema` and reports every
//! mistake into a `diag::Sink`, `lower` writes builder calls and cannot fail.
//!
//! **Invariant:** nothing is read but the files that a recipe names, to check that they are there and
//! that a template is well formed. What is well formed is decided by `kiln-rules`, not here.

mod ast;
mod check;
mod diag;
mod lower;
mod schema;
#[cfg(test)]
mod tests;
mod valid;

/// Declares a machine image: expands to a function that returns `kiln::Image`.
///
/// ```
/// use kiln::prelude::*;
///
/// const WORKERS: u32 = 4;
///
/// image! {
///     /// Debian 12 with nginx.
///     pub web(version: &str) {
///         base: debian("bookworm"),
///
///         layer packages {
///             apt: ["nginx", "ca-certificates"] { recommends: false },
///         }
///
///         layer site {
///             file: "/srv/www/version" { content: version, owner: "www-data", mode: 0o644 },
///             service: "nginx" { enable: true },
///             run: "nginx -t" { env: { WORKERS: WORKERS.to_string() }, timeout: "1m" },
///         }
///
///         test serves { http: "http://localhost/version", status: 200, within: "30s" }
///     }
/// }
///
/// image! {
///     staging { base: web("1.2"), layer mark { file: "/etc/staging" { content: "" } } }
/// }
///
/// let document = Document::new("shop").image(staging());
/// assert_eq!(document.images().len(), 2);
/// # assert_eq!(document.problems(), []);
/// ```
///
/// # Form
///
/// Attributes, a visibility, a name, parameters if there are any, and in braces:
///
/// - `base: EXPRESSION` — required; anything that is `Into<kiln::Base>`.
/// - `builder: ec2 { region: "eu-west-1", … }` — where the image is baked; each key is a method of `kiln::Ec2`, and each
///   may be left out, with the braces too. Unless told, as its base image. In place of the word `ec2` stands any
///   expression that is a `kiln::Ec2`, such as a call of a function that says what all images share.
/// - `start: [ARGUMENT, …]` — what runs when the image is started as a container.
/// - `layer NAME { STEPS }` — any number. A step is `key: value` or `key: source => destination`,
///   with options in braces after it.
/// - `test NAME { … }` — any number; exactly one of `run`, `http` and `tcp`.
///
/// `key: value` ends with a comma, a block needs none. Every value is a Rust expression. Only one kind is
/// written differently: a struct literal needs parentheses around it, because braces after
/// a value hold its options.
///
/// Steps are the functions of `kiln::step`, options are the methods of what these return; so each key is
/// documented there. `env`, `vars` and `tags` take `{ NAME: value, … }`, where a name that is no word stands in
/// quotes. `step: EXPRESSION` takes anything that implements `kiln::Step`. `reboot` stands alone, without a value.
///
/// # What it expands to
///
/// One chain of calls on `kiln::Image`, one call per key, in the order written. Beside the function stands
/// a hidden empty type of the same name whose constant `CHAIN` says what stands below. It makes errors of the
/// compiler of a cycle of bases, and of an instance type or a region that does not fit the base image's. It is
/// also why `base: name()` must call a recipe or a base of `kiln`. A function of your own that returns a base is
/// called from a block, which is not looked into: `base: { helper() }`. As a type, the recipe shares its name space with modules: with `mod web` and a recipe
/// `web` in it, call `web::web()` rather than importing it beside the module.
///
/// # Errors
///
/// All mistakes of a recipe are reported at once, each at the token it is about, and the function is
/// there all the same, so that what refers to it does not fail too. A template variable that is given but
/// not used is a warning (of the lint `deprecated`: the only one that a macro can raise on stable Rust).
#[proc_macro]
pub fn image(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_image(input.into(), &check::Inputs::of_this_crate()).into()
}

/// Declares a deployment: expands to a function that returns `kiln::Deployment`.
///
/// ```
/// use kiln::prelude::*;
///
/// image! {
///     pub web { base: debian("bookworm"), layer packages { apt: ["nginx"] } }
/// }
///
/// deployment! {
///     /// The shop, as customers see it.
///     pub production {
///         image: web(),
///         target: ec2 { region: "eu-west-1", instance_type: "t3.micro" },
///         replicas: { min: 2, desired: 3, max: 6 },
///         ports: [80],
///         health: http { path: "/healthz", interval: "10s", soak: "30s" },
///         strategy: red_black { keep_previous: 1 },
///         load_balancer: application { listen: 80, drain: "30s" },
///         tags: { team: "web", "cost:center": "7" },
///     }
/// }
///
/// let document = Document::new("shop").deployment(production());
/// assert_eq!(document.deployments()[0].replicas.desired, 3);
/// # assert_eq!(document.problems(), []);
/// ```
///
/// # Form
///
/// Attributes, a visibility, a name, parameters if there are any, and in braces:
///
/// - `image: EXPRESSION` — required; a call of the recipe that servers start from.
/// - `target: ec2 { region: "eu-west-1", … }` — required; each key is a method of `kiln::Ec2Target`, and each may be left
///   out, with the braces too.
/// - `replicas: 3` or `replicas: { min: 2, desired: 3, max: 6 }` — the methods of `kiln::ReplicaBounds`.
/// - `ports: [80, 443]` — what servers listen on.
/// - `health: http { … }` or `health: tcp { … }` — the methods of `kiln::health::Check`.
/// - `strategy: red_black { … }` or `strategy: rolling { … }` — the methods of what the functions of `kiln::strategy`
///   return.
/// - `load_balancer: application { … }`, `network { … }` or `target_group { arn: "…" }` — the methods of what the functions
///   of `kiln::load_balancer` return.
/// - `tags: { NAME: value, … }` — where a name that is no word stands in quotes.
///
/// Every value is a Rust expression, and in place of a word such as `ec2` or `http` stands any expression of its type,
/// such as a call of a function that says what all deployments share; keys in braces after it refine it.
///
/// # What it expands to
///
/// One chain of calls on `kiln::Deployment`, one call per key, in the order written. Beside the function stand assertions
/// that the image's region and architecture, as its `CHAIN` says them, are those of the target. This is why
/// `image: name()` must call a recipe; a function of your own that returns an image is called from a block, which is not
/// looked into: `image: { helper() }`.
///
/// # Errors
///
/// As of [`image!`]: all at once, and the function is there all the same.
#[proc_macro]
pub fn deployment(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_deployment(input.into(), &check::Inputs::of_this_crate()).into()
}

fn expand_image(
    input: proc_macro2::TokenStream,
    inputs: &check::Inputs,
) -> proc_macro2::TokenStream {
    let mut sink = diag::Sink::default();
    match ast::Recipe::parse(input, schema::AN_IMAGE.example) {
        Ok(raw) => {
            let image = check::image(raw, inputs, &mut sink);
            lower::image(&image, sink)
        }
        Err(error) => error.into_compile_error(),
    }
}

fn expand_deployment(
    input: proc_macro2::TokenStream,
    inputs: &check::Inputs,
) -> proc_macro2::TokenStream {
    let mut sink = diag::Sink::default();
    match ast::Recipe::parse(input, schema::A_DEPLOYMENT.example) {
        Ok(raw) => {
            let deployment = check::deployment(raw, inputs, &mut sink);
            lower::deployment(&deployment, sink)
        }
        Err(error) => error.into_compile_error(),
    }
}
