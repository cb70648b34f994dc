//! In what a node differs from what it was, in the user's words.

use crate::Digest;
use crate::inputs::Manifest;
use crate::key::Field;
use crate::lock::first_change;
use std::borrow::Cow;
use std::path::Path;

/// A node as it was or is.
pub(super) struct Side<'a> {
    /// What its key covers of itself.
    pub(super) fields: &'a [Field],
    /// The title of the step of each op, from op 1.
    pub(super) titles: &'a [String],
    /// The trees that it copies, as far as they are known.
    pub(super) tree: Box<dyn Fn(Digest) -> Option<Cow<'a, Manifest>> + 'a>,
}

impl Side<'_> {
    fn title(&self, op: u32) -> Option<String> {
        let title = usize::try_from(op).ok().and_then(|op| self.titles.get(op.checked_sub(1)?));
        title.map(|title| format!("`{title}`"))
    }

    fn has(&self, title: &str) -> bool {
        self.titles.iter().any(|known| known == title.trim_matches('`'))
    }

    /// What an op has locked.
    fn locked(&self, op: u32) -> Vec<String> {
        let mine = self.fields.iter().filter(|field| field.op == op && field.name == "locked");
        mine.map(|field| field.value.clone()).collect()
    }
}

/// The first thing in which two differ; `None` when they are defined alike. Paths are shown relative to `root`.
pub(super) fn first_difference(was: &Side<'_>, is: &Side<'_>, root: &Path) -> Option<String> {
    let differs = |(old, new): (&Field, &Field)| {
        (old.op, &old.name, &old.value) != (new.op, &new.name, &new.value)
    };
    let at = match was.fields.iter().zip(is.fields).position(differs) {
        Some(at) => at,
        None if was.fields.len() == is.fields.len() => return None,
        None => was.fields.len().min(is.fields.len()),
    };
    match (was.fields.get(at), is.fields.get(at)) {
        (None, None) => None,
        (Some(old), None) => Some(format!("step {} is gone", was.title(old.op)?)),
        (None, Some(new)) => Some(format!("step {} is new", is.title(new.op)?)),
        (Some(old), Some(new)) => Some(changed(was, is, (old, new), root)),
    }
}

fn changed(was: &Side<'_>, is: &Side<'_>, (old, new): (&Field, &Field), root: &Path) -> String {
    if old.name == "locked" || new.name == "locked" {
        let op = if new.name == "locked" { new.op } else { old.op };
        if let Some(change) = first_change(&was.locked(op), &is.locked(op)) {
            return change;
        }
    }
    let (before, after) = (was.title(old.op), is.title(new.op));
    match (old.op == new.op && old.name == new.name, before == after) {
        // The same part of the same step.
        (true, true) => changed_value(was, is, (old, new), after, root),
        (_, false) => match (before, after) {
            (Some(before), Some(after)) if !was.has(&after) => match is.has(&before) {
                true => format!("step {after} is new"),
                false => format!("step {before} became {after}"),
            },
            (Some(before), Some(_)) if !is.has(&before) => format!("step {before} is gone"),
            (Some(before), Some(after)) => format!("step {after} comes before {before} now"),
            _ => "its base is another one".into(),
        },
        (false, true) => match after {
            Some(after) => format!("step {after} has other options"),
            None => "its base is another one".into(),
        },
    }
}

fn changed_value(
    was: &Side<'_>,
    is: &Side<'_>,
    (old, new): (&Field, &Field),
    title: Option<String>,
    root: &Path,
) -> String {
    let shown = || {
        let path = Path::new(new.shown.as_deref().unwrap_or_default());
        path.strip_prefix(root).unwrap_or(path).display()
    };
    let of_step = title.map(|title| format!(" of step {title}")).unwrap_or_default();
    match new.name.as_str() {
        "tree" => {
            let before = old.value.parse().ok().and_then(|digest| (was.tree)(digest));
            let after = new.value.parse().ok().and_then(|digest| (is.tree)(digest));
            let trees = before.zip(after);
            match trees.and_then(|(before, after)| before.first_difference(&after)) {
                Some(difference) => format!("in `{}`: {difference}", shown()),
                None => format!("`{}` changed", shown()),
            }
        }
        "file" | "script" => format!("`{}` changed", shown()),
        "text" => format!("the text{of_step} changed"),
        "shell" | "argv" => format!("the command{of_step} changed"),
        "include" | "suite" | "mirror" | "manifest" | "digest" | "base" => {
            format!("its base has `{}` {}, it was {}", new.name, new.value, old.value)
        }
        name => format!("`{name}`{of_step} is {}, it was {}", new.value, old.value),
    }
}
