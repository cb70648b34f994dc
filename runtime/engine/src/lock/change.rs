use super::{EntryId, Locked, LockedFile, LockedImage};
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

/// What an entry holds by name: the version for people, and what tells the content.
fn contents(locked: &Locked) -> BTreeMap<String, (String, String)> {
    let file = |file: &LockedFile| {
        (package(&file.name()).to_owned(), (file.version.clone(), file.sha256.clone()))
    };
    match locked {
        Locked::Files(files) => files.iter().map(file).collect(),
        Locked::Image(LockedImage { id, name }) => {
            BTreeMap::from([("image".into(), (format!("{id} ({name})"), id.clone()))])
        }
    }
}

/// The differences between two states of one entry, by package name.
fn changes(old: &Locked, new: &Locked) -> Vec<Change> {
    let (old, new) = (contents(old), contents(new));
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
    old: &BTreeMap<EntryId, Locked>,
    new: &BTreeMap<EntryId, Locked>,
) -> Vec<(EntryId, Vec<Change>)> {
    let mut all = Vec::new();
    let nothing = Locked::nothing();
    for (id, locked) in new {
        let found = changes(old.get(id).unwrap_or(&nothing), locked);
        if !found.is_empty() || !old.contains_key(id) {
            all.push((id.clone(), found));
        }
    }
    for (id, locked) in old {
        if !new.contains_key(id) {
            all.push((id.clone(), changes(locked, &nothing)));
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
        let (old, new) = (Locked::Files(old.into()), Locked::Files(new.into()));
        let lines: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["~ b 1 -> 2", "+ e 1", "- c 1"]);
    }
}
