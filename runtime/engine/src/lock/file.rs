use super::{EntryId, Locked};
use crate::Error;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const VERSION: u32 = 2;
const OLDEST: u32 = 1;
const HEADER: &str = "# What the recipes take from outside, resolved once. Written by `cargo xtask bake` and\n\
                      # `cargo xtask update`; review it, commit it, do not edit it.\n";

/// The lock file in memory. Shared by everything that bakes; written by [`LockFile::save`].
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    entries: BTreeMap<EntryId, Locked>,
    /// Entries that `update` wants resolved again. They stay until they are.
    stale: BTreeSet<EntryId>,
    changed: bool,
}

#[derive(Serialize, Deserialize)]
struct Text {
    version: u32,
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    id: EntryId,
    #[serde(flatten)]
    locked: Locked,
}

impl LockFile {
    /// Reads the lock file; one that is not there is empty.
    ///
    /// # Errors
    /// When it cannot be read or is malformed, or its folder is not there to write it to.
    pub fn read(path: &Path) -> Result<Self, Error> {
        if !folder(path).is_dir() {
            let message = format!("no folder for the lock file `{}`", path.display());
            return Err(Error::input(message).help("name a file in a folder that is there"));
        }
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path: path.into(), state: Mutex::default() });
            }
            Err(error) => {
                let message = format!("cannot read `{}`", path.display());
                return Err(Error::environment(message).caused_by(error));
            }
        };
        let malformed = || {
            Error::input(format!("malformed lock file `{}`", path.display())).help(
                "take it from version control again, or remove it and run `cargo xtask update`",
            )
        };
        let text: Text = toml::from_str(&text).map_err(|error| malformed().caused_by(error))?;
        if !(OLDEST..=VERSION).contains(&text.version) {
            return Err(Error::input(format!(
                "`{}` has version {}, this Kiln reads versions {OLDEST} to {VERSION}",
                path.display(),
                text.version
            ))
            .help("use the Kiln that wrote it, or remove it and run `cargo xtask update`"));
        }
        let entries = text.entry.into_iter().map(|entry| (entry.id, entry.locked)).collect();
        let state = State { entries, ..State::default() };
        Ok(Self { path: path.into(), state: Mutex::new(state) })
    }

    /// What an entry names; `None` when it is to be resolved.
    #[must_use]
    pub fn get(&self, id: &EntryId) -> Option<Locked> {
        let state = self.state();
        if state.stale.contains(id) { None } else { state.entries.get(id).cloned() }
    }

    /// Locks an entry.
    pub fn insert(&self, id: EntryId, mut locked: Locked) {
        if let Locked::Files(files) = &mut locked {
            files.sort_by(|a, b| a.name().cmp(&b.name()).then_with(|| a.cmp(b)));
        }
        let mut state = self.state();
        state.stale.remove(&id);
        if state.entries.get(&id) != Some(&locked) {
            state.entries.insert(id, locked);
            state.changed = true;
        }
    }

    /// Wants these entries resolved again.
    pub fn refresh(&self, ids: impl IntoIterator<Item = EntryId>) {
        self.state().stale.extend(ids);
    }

    /// Drops what no recipe asks a builder for any more. Other builders' entries stay.
    pub fn retain(&self, builder: &str, asked_for: &BTreeSet<EntryId>) {
        let mut state = self.state();
        let before = state.entries.len();
        state.entries.retain(|id, _| id.builder != builder || asked_for.contains(id));
        state.changed |= state.entries.len() != before;
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<EntryId, Locked> {
        self.state().entries.clone()
    }

    /// Writes the file, if an entry has changed: to a temporary name, then renamed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self) -> Result<(), Error> {
        let mut state = self.state();
        if !state.changed {
            return Ok(());
        }
        let entry = state.entries.iter();
        let entry =
            entry.map(|(id, locked)| Entry { id: id.clone(), locked: locked.clone() }).collect();
        let failed = || Error::environment(format!("cannot write `{}`", self.path.display()));
        let text = toml::to_string_pretty(&Text { version: VERSION, entry })
            .map_err(|error| failed().caused_by(error))?;
        let folder = folder(&self.path);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(".kiln.lock").tempfile_in(folder)?;
            file.write_all(HEADER.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.as_file().sync_all()?;
            let file = file.persist(&self.path)?;
            // Made by root for a user's checkout: whoever owns the folder owns the file.
            let meta = std::fs::metadata(folder)?;
            use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
            fchown(&file, Some(meta.uid()), Some(meta.gid()))?;
            file.set_permissions(std::fs::Permissions::from_mode(0o644))
        };
        write().map_err(|error| failed().caused_by(error))?;
        state.changed = false;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn folder(path: &Path) -> &Path {
    let named = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{LockedFile, LockedImage};

    fn id(builder: &str) -> EntryId {
        EntryId {
            node: "web/packages".into(),
            request: "apt nginx".into(),
            builder: builder.into(),
            architecture: "amd64".into(),
        }
    }

    fn file(name: &str) -> LockedFile {
        format!("sha256:{} 12 1.0 http://example.test/{name}", "a".repeat(64)).parse().unwrap()
    }

    fn files<const N: usize>(names: [&str; N]) -> Locked {
        Locked::Files(names.map(file).into())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kiln.lock");
        let lock = LockFile::read(&path).unwrap();
        let ami = LockedImage { id: "ami-0123".into(), name: "debian-12".into() };
        lock.insert(id("sandbox"), files(["b.deb", "a.deb"]));
        lock.insert(id("ec2"), Locked::Image(ami.clone()));
        lock.save().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# What the recipes take from outside"), "{text}");
        let again = LockFile::read(&path).unwrap();
        assert_eq!(again.get(&id("sandbox")), Some(files(["a.deb", "b.deb"])));
        assert_eq!(again.get(&id("ec2")), Some(Locked::Image(ami)));
    }

    #[test]
    fn what_another_builder_asked_for_stays() {
        let folder = tempfile::tempdir().unwrap();
        let lock = LockFile::read(&folder.path().join("kiln.lock")).unwrap();
        lock.insert(id("sandbox"), files(["a.deb"]));
        lock.insert(id("ec2"), files(["a.deb"]));
        lock.retain("ec2", &BTreeSet::new());
        assert_eq!(lock.entries().into_keys().collect::<Vec<_>>(), [id("sandbox")]);
    }

    #[test]
    fn an_entry_to_refresh_stays_until_it_is_resolved() {
        let folder = tempfile::tempdir().unwrap();
        let lock = LockFile::read(&folder.path().join("kiln.lock")).unwrap();
        lock.insert(id("ec2"), files(["a.deb"]));
        lock.refresh([id("ec2")]);
        assert_eq!(lock.get(&id("ec2")), None);
        assert_eq!(lock.entries().len(), 1);
        lock.insert(id("ec2"), files(["a.deb"]));
        assert!(lock.get(&id("ec2")).is_some());
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_before_anything_is_baked() {
        let folder = tempfile::tempdir().unwrap();
        let error = LockFile::read(&folder.path().join("no/kiln.lock")).unwrap_err();
        assert!(error.to_string().contains("no/kiln.lock"), "{error}");
    }

    #[test]
    fn a_file_from_before_there_were_several_builders_is_the_local_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kiln.lock");
        let text = format!(
            "version = 1\n[[entry]]\nnode = \"web/packages\"\nrequest = \"apt nginx\"\n\
             architecture = \"amd64\"\nfiles = [\"{}\"]\n",
            file("a.deb")
        );
        std::fs::write(&path, text).unwrap();
        let lock = LockFile::read(&path).unwrap();
        assert_eq!(lock.get(&id("sandbox")), Some(files(["a.deb"])));
    }

    #[test]
    fn a_malformed_file_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kiln.lock");
        for text in ["version = 3\n", "nonsense", "version = 2\n[[entry]]\nnode = 'x'\n"] {
            std::fs::write(&path, text).unwrap();
            let error = LockFile::read(&path).unwrap_err();
            assert!(error.to_string().contains("kiln.lock"), "{error}");
        }
    }
}
