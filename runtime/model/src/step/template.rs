use super::{Step, Value, options};
use crate::{Lowering, Origin, Put, Source};
use kiln_rules as rules;
use std::collections::BTreeMap;

/// Renders a template into the image. See [`template`].
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    origin: Origin,
    source: String,
    dest: String,
    vars: BTreeMap<String, Value>,
    placing: options::Placing,
}

/// Renders a minijinja template (Jinja2 syntax, <https://docs.rs/minijinja>) to a file in the image.
///
/// A variable that the template uses and the recipe does not give is an error, never empty text. The
/// template's own final newline is kept.
#[track_caller]
pub fn template(source: impl Into<String>, dest: impl Into<String>) -> Template {
    Template {
        origin: Origin::caller(),
        source: source.into(),
        dest: dest.into(),
        vars: BTreeMap::new(),
        placing: options::Placing::default(),
    }
}

impl Template {
    options::placing_methods!();

    /// The template's variables.
    #[must_use]
    pub fn vars<K: Into<String>, V: Into<Value>>(
        mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.vars.extend(vars.into_iter().map(|(k, v)| (k.into(), v.into())));
        self
    }
}

impl Step for Template {
    fn kind(&self) -> &'static str {
        "template"
    }

    fn title(&self) -> String {
        format!("template {} => {}", self.source, self.dest)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.check(rules::source(&self.source));
        into.check(rules::destination(&self.dest));
        let put = Put {
            mode: self.placing.mode(into),
            directory_mode: None,
            owner: self.placing.owner(into),
            dest: self.dest,
            source: Source::Template { path: self.source, vars: self.vars },
        };
        into.put(put);
    }
}
