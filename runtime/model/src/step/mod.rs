//! The steps of a layer, one file each: its builder, its checks, how it lowers to ops, its tests.
//!
//! A step is made by the function of its name and refined by methods, one per key of the DSL. A user's
//! crate adds one by implementing [`Step`] and writing `step: my::step(…)` in the recipe.

mod apt;
mod copy;
mod env;
mod file;
mod group;
mod options;
mod reboot;
mod run;
mod script;
mod service;
mod template;
mod unit;
mod user;

pub use apt::{Apt, apt};
pub use copy::{Copy, copy};
pub use env::{Env, env};
pub use file::{File, file};
pub use group::{Group, group};
pub use reboot::{Reboot, reboot};
pub use run::{Run, run};
pub use script::{Script, script};
pub use serde_json::Value;
pub use service::{Service, service};
pub use template::{Template, template};
pub use unit::{Unit, unit};
pub use user::{User, user};

use crate::{Lowering, Origin};

/// One typed action in a recipe.
pub trait Step {
    /// The key that a recipe writes for it: `copy`.
    fn kind(&self) -> &'static str;

    /// One line for people: `copy site/ => /srv/www`.
    fn title(&self) -> String;

    /// Where it was written: [`Origin::caller`] in its constructor.
    fn origin(&self) -> &Origin;

    /// Writes its ops, and notes what is wrong with its values.
    fn lower(self, into: &mut Lowering);
}

/// Quotes a word for `/bin/sh`, so that it stays one word whatever it holds.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn words_stay_one_word() {
        assert_eq!(quote("nginx"), "nginx");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's; rm -rf /"), r"'it'\''s; rm -rf /'");
    }
}
