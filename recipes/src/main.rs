//! The example recipes: `cargo xtask bake` builds them.

mod api;
mod base;
mod production;
mod web;

use kiln::prelude::*;
use std::process::ExitCode;

fn main() -> ExitCode {
    Document::new("example")
        .image(base::base())
        .image(web::web())
        .image(api::api())
        .deployment(production::production())
        .print()
}
