use super::{EntryId, LockedFile};
use std::collections::BTreeMap;
use std::fmt;

/// What `update` changed in one entry of the lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A package that was not there.
    Added(String, String),
    /// A package that is no longer there.
    Removed(String, String),
    /// A package in another version, or with other content.
    Changed(String, String, String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(name, version) => write!(f, "+ {name} {version}"),
            Self::Removed(name, version) => write!(f, "- {name} {version}"),
            Self::Changed(name, old, new) if old == new => {
                write!(f, "~ {name} {old} (same version, other content)")
            }
            Self::Changed(name, old, new) => write!(f, "~ {name} {old} -> {new}"),
        }
    }
}

/// The differences between two states of one entry, by package name.
#[must_use]
fn changes(old: &[LockedFile], new: &[LockedFile]) -> Vec<Change> {
    let by_package = |files: &[LockedFile]| -> BTreeMap<String, (String, String)> {
        files
            .iter()
            .map(|f| (package(&f.name()).to_owned(), (f.version.clone(), f.sha256.clone())))
            .collect()
    };
    let (old, new) = (by_package(old), by_package(new));
    let mut changes = Vec::new();
    for (name, (version, sha256)) in &new {
        match old.get(name) {
            None => changes.push(Change::Added(name.clone(), version.clone())),
            Some((_, same)) if same == sha256 => {}
            Some((before, _)) => {
                changes.push(Change::Changed(name.clone(), before.clone(), version.clone()));
            }
        }
    }
    for (name, (version, _)) in &old {
        if !new.contains_key(name) {
            changes.push(Change::Removed(name.clone(), version.clone()));
        }
    }
    changes
}

/// A Debian file is named `package_version_architecture.deb`.
fn package(name: &str) -> &str {
    name.split('_').next().unwrap_or(name)
}

/// For messages: the first difference of two entries in words, with the entry they belong to.
pub(crate) fn first_change(old: &[String], new: &[String]) -> Option<String> {
    // A key's field holds `name sha256`.
    let name = |value: &String| value.split(' ').next().unwrap_or_default().to_owned();
    let old_names: Vec<String> = old.iter().map(name).collect();
    let new_names: Vec<String> = new.iter().map(name).collect();
    for (value, name) in new.iter().zip(&new_names) {
        if old.contains(value) {
            continue;
        }
        return Some(match old_names.iter().find(|before| package(before) == package(name)) {
            Some(before) if before == name => format!("`{name}` has other content in kiln.lock"),
            Some(before) => format!("kiln.lock has `{name}`, it was `{before}`"),
            None => format!("kiln.lock has `{name}`, which was not there"),
        });
    }
    let gone = old_names.iter().find(|name| !new_names.contains(name))?;
    Some(format!("`{gone}` is no longer in kiln.lock"))
}

/// Which entries changed, and how.
#[must_use]
pub fn changes_of(
    old: &BTreeMap<EntryId, Vec<LockedFile>>,
    new: &BTreeMap<EntryId, Vec<LockedFile>>,
) -> Vec<(EntryId, Vec<Change>)> {
    let mut all = Vec::new();
    for (id, files) in new {
        let found = changes(old.get(id).map_or(&[][..], Vec::as_slice), files);
        if !found.is_empty() || !old.contains_key(id) {
            all.push((id.clone(), found));
        }
    }
    for (id, files) in old {
        if !new.contains_key(id) {
            all.push((id.clone(), changes(files, &[])));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, digit: char) -> LockedFile {
        let version = name.split('_').nth(1).unwrap_or("1");
        let sha256 = String::from(digit).repeat(64);
        format!("sha256:{sha256} 1 {version} http://example.test/{name}").parse().unwrap()
    }

    #[test]
    fn changes_are_named_by_package() {
        let old = [file("a_1_all.deb", 'a'), file("b_1_all.deb", 'b'), file("c_1_all.deb", 'c')];
        let new = [file("a_1_all.deb", 'a'), file("b_2_all.deb", 'd'), file("e_1_all.deb", 'e')];
        let lines: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["~ b 1 -> 2", "+ e 1", "- c 1"]);
    }
}
