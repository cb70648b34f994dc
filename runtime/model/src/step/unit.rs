use super::{Step, Value, options, quote};
use crate::{Lowering, Mode, Origin, Owner, Put, Source};
use kiln_rules as rules;
use std::collections::BTreeMap;

/// Installs a systemd unit. See [`unit()`].
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    origin: Origin,
    name: String,
    content: Option<String>,
    template: Option<String>,
    vars: BTreeMap<String, Value>,
    enable: bool,
}

/// Installs a systemd unit, from text or from a template, as `/etc/systemd/system/NAME`.
#[track_caller]
pub fn unit(name: impl Into<String>) -> Unit {
    Unit {
        origin: Origin::caller(),
        name: name.into(),
        content: None,
        template: None,
        vars: BTreeMap::new(),
        enable: false,
    }
}

impl Unit {
    /// The unit's text.
    #[must_use]
    pub fn content(mut self, text: impl Into<String>) -> Self {
        self.content = Some(text.into());
        self
    }

    /// A template that renders to the unit's text. See [`crate::step::template`].
    #[must_use]
    pub fn template(mut self, path: impl Into<String>) -> Self {
        self.template = Some(path.into());
        self
    }

    /// The template's variables.
    #[must_use]
    pub fn vars<K: Into<String>, V: Into<Value>>(
        mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.vars.extend(vars.into_iter().map(|(k, v)| (k.into(), v.into())));
        self
    }

    /// Whether it starts at boot. Not unless told.
    #[must_use]
    pub fn enable(mut self, enable: bool) -> Self {
        self.enable = enable;
        self
    }
}

impl Step for Unit {
    fn kind(&self) -> &'static str {
        "unit"
    }

    fn title(&self) -> String {
        format!("unit {}", self.name)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::systemd_unit(&self.name));
        let source = match (self.content, self.template) {
            (Some(text), None) if self.vars.is_empty() => Source::Inline(text),
            (None, Some(path)) => {
                into.check(rules::source(&path));
                Source::Template { path, vars: self.vars }
            }
            _ => {
                into.problem(
                    format!(
                        "`unit` needs exactly one of `content` and `template` for `{}`",
                        self.name
                    ),
                    Some("`vars` goes with `template`".into()),
                );
                return;
            }
        };
        into.put(Put {
            dest: format!("/etc/systemd/system/{}", self.name),
            source,
            mode: Some(Mode(0o644)),
            directory_mode: None,
            owner: Owner::root(),
        });
        if self.enable {
            into.exec(options::shell(format!("systemctl --quiet enable {}\n", quote(&self.name))));
        }
    }
}
