use super::Step;
use crate::{Lowering, Origin};
use kiln_rules as rules;

/// Sets environment variables. See [`env()`].
#[derive(Debug, Clone, PartialEq)]
pub struct Env {
    origin: Origin,
    vars: Vec<(String, String)>,
}

/// Sets environment variables: for every later command of the image and of images built on it, for
/// logins (`/etc/environment`, read by `pam_env(8)`), and in the configuration of an exported container.
///
/// Services that systemd starts do not see them: use `Environment=` in the unit.
#[track_caller]
pub fn env<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Env {
    Env {
        origin: Origin::caller(),
        vars: vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
    }
}

impl Step for Env {
    fn kind(&self) -> &'static str {
        "env"
    }

    fn title(&self) -> String {
        let names: Vec<&str> = self.vars.iter().map(|(name, _)| name.as_str()).collect();
        format!("env {}", names.join(" "))
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        if self.vars.is_empty() {
            into.problem("`env` sets no variable", Some("write `env: { NAME: \"value\" }`".into()));
        }
        for (name, value) in self.vars {
            into.check(rules::env_name(&name));
            into.check(rules::env_value(&name, &value));
            into.set_env(name, value);
        }
    }
}
