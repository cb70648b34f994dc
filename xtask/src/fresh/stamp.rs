use super::influences::{Influences, is_prefixed};
use anyhow::{Context, Result};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file younger than this at the start of a build may change without its time changing: some file
/// systems count whole or even seconds.
const GRANULARITY: Duration = Duration::from_secs(2);

/// Of this form of the file.
const VERSION: &[u8] = b"1";

/// Everything that had a say in a build, as it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The checkout: several may share a target directory.
    root: PathBuf,
    files: Vec<(PathBuf, String)>,
    /// `None`: not set.
    variables: Vec<(OsString, Option<OsString>)>,
}

impl Stamp {
    /// Of a build that has just succeeded. `None` when a file may have changed since it `started`.
    pub(super) fn take(root: &Path, seen: &Influences, started: SystemTime) -> Option<Self> {
        let Influences { binary, files, variables } = seen;
        let settled = |path: &PathBuf| match path.metadata() {
            Ok(meta) => meta.modified().is_ok_and(|time| time + GRANULARITY < started),
            Err(_) => true,
        };
        (binary.exists() && files.iter().all(settled)).then(|| Self {
            root: root.to_owned(),
            files: files.iter().chain([binary]).map(|path| (path.clone(), state(path))).collect(),
            variables: variables
                .iter()
                .map(|name| (name.clone(), std::env::var_os(name)))
                .collect(),
        })
    }

    /// Whether everything is as it was.
    pub(super) fn holds(&self, root: &Path) -> bool {
        let Self { root: of, files, variables } = self;
        let is_known = |name: &OsString| variables.iter().any(|(known, _)| known == name);
        of == root
            && files.iter().all(|(path, was)| state(path) == *was)
            && variables.iter().all(|(name, was)| std::env::var_os(name) == *was)
            && std::env::vars_os().all(|(name, _)| !is_prefixed(&name) || is_known(&name))
    }

    /// Reads a stamp. `None` when there is none, or a damaged one.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let bytes = std::fs::read(path).ok()?;
        let mut fields = bytes.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        if fields.next()? != VERSION {
            return None;
        }
        let owned = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        let root = PathBuf::from(owned(fields.next()?));
        let mut stamp = Self { root, files: Vec::new(), variables: Vec::new() };
        while let Some(kind) = fields.next() {
            let (name, value) = (owned(fields.next()?), fields.next()?);
            match kind {
                b"file" => stamp.files.push((name.into(), String::from_utf8(value.to_vec()).ok()?)),
                b"set" => stamp.variables.push((name, Some(owned(value)))),
                b"unset" => stamp.variables.push((name, None)),
                b"end" => return fields.next().is_none().then_some(stamp),
                _ => return None,
            }
        }
        None
    }

    /// Keeps it under a name that never shows half of it.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        let mut put =
            |fields: [&[u8]; 3]| fields.map(|field| bytes.extend([field, b"\0"].concat()));
        for (file, state) in &self.files {
            put([b"file", file.as_os_str().as_bytes(), state.as_bytes()]);
        }
        for (name, value) in &self.variables {
            match value {
                Some(value) => put([b"set", name.as_bytes(), value.as_bytes()]),
                None => put([b"unset", name.as_bytes(), b""]),
            };
        }
        put([b"end", b"", b""]);
        let head = [VERSION, b"\0", self.root.as_os_str().as_bytes(), b"\0"].concat();
        let draft = path.with_extension(format!("{}", std::process::id()));
        std::fs::File::create(&draft)
            .and_then(|mut file| file.write_all(&head).and_then(|()| file.write_all(&bytes)))
            .and_then(|()| std::fs::rename(&draft, path))
            .with_context(|| format!("cannot write `{}`", path.display()))
    }
}

/// What changes when a file does, as far as the file system tells.
fn state(path: &Path) -> String {
    match path.metadata() {
        Ok(meta) => {
            format!("{}.{:09} {} {}", meta.mtime(), meta.mtime_nsec(), meta.size(), meta.ino())
        }
        Err(_) => "absent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A checkout with a program that was built of one source after `AGE`.
    struct Built {
        dir: tempfile::TempDir,
        variables: BTreeSet<OsString>,
    }

    const AGE: Duration = Duration::from_secs(60);

    impl Built {
        fn new() -> Self {
            // As whoever runs the tests has them: cargo's own among them.
            let names = std::env::vars_os().map(|(name, _)| name);
            let variables = names.filter(is_prefixed).collect();
            let built = Self { dir: tempfile::tempdir().unwrap(), variables };
            for name in ["main.rs", "Cargo.toml", "recipes"] {
                std::fs::write(built.path(name), name).unwrap();
                built.touch(name, SystemTime::now() - AGE);
            }
            built
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn touch(&self, name: &str, time: SystemTime) {
            let file = std::fs::File::options().append(true).open(self.path(name)).unwrap();
            file.set_modified(time).unwrap();
        }

        fn take(&self) -> Option<Stamp> {
            let files = ["main.rs", "Cargo.toml", "build.rs"].map(|name| self.path(name));
            let seen = Influences {
                binary: self.path("recipes"),
                files: files.into(),
                variables: self.variables.clone(),
            };
            Stamp::take(self.dir.path(), &seen, SystemTime::now())
        }

        fn stamp(&self) -> Stamp {
            self.take().expect("nothing is in doubt")
        }

        fn holds(&self, stamp: &Stamp) -> bool {
            stamp.holds(self.dir.path())
        }
    }

    #[test]
    fn nothing_changed_is_fresh() {
        let built = Built::new();
        let stamp = built.stamp();
        assert!(built.holds(&stamp));
    }

    #[test]
    fn a_source_with_another_time_is_stale_also_an_older_one() {
        let built = Built::new();
        let stamp = built.stamp();
        built.touch("main.rs", SystemTime::now());
        assert!(!built.holds(&stamp));
        built.touch("main.rs", SystemTime::now() - 2 * AGE);
        assert!(!built.holds(&stamp));
    }

    #[test]
    fn a_source_replaced_by_another_of_the_same_time_is_stale() {
        let built = Built::new();
        let stamp = built.stamp();
        let time = built.path("main.rs").metadata().unwrap().modified().unwrap();
        std::fs::write(built.path("other"), "main.rs").unwrap();
        built.touch("other", time);
        std::fs::rename(built.path("other"), built.path("main.rs")).unwrap();
        assert!(!built.holds(&stamp));
    }

    #[test]
    fn a_deleted_source_or_program_is_stale() {
        for name in ["main.rs", "recipes"] {
            let built = Built::new();
            let stamp = built.stamp();
            std::fs::remove_file(built.path(name)).unwrap();
            assert!(!built.holds(&stamp), "{name}");
        }
    }

    #[test]
    fn a_manifest_that_changed_and_a_build_script_that_came_are_stale() {
        for name in ["Cargo.toml", "build.rs"] {
            let built = Built::new();
            let stamp = built.stamp();
            std::fs::write(built.path(name), "new").unwrap();
            assert!(!built.holds(&stamp), "{name}");
        }
    }

    #[test]
    fn a_program_built_by_somebody_else_is_stale() {
        let built = Built::new();
        let stamp = built.stamp();
        std::fs::write(built.path("recipes"), "other flags").unwrap();
        assert!(!built.holds(&stamp));
    }

    #[test]
    fn another_checkout_in_the_same_target_directory_is_stale() {
        let built = Built::new();
        assert!(!built.stamp().holds(Path::new("/elsewhere")));
    }

    #[test]
    fn a_variable_with_another_value_is_stale() {
        let mut built = Built::new();
        built.variables.extend(["PATH", "KILN_NOT_SET"].map(OsString::from));
        let stamp = built.stamp();
        assert!(built.holds(&stamp));
        let Stamp { root, files, variables } = stamp;
        for changed in 0..variables.len() {
            let mut variables = variables.clone();
            variables[changed].1 = Some("another".into());
            let stamp = Stamp { root: root.clone(), files: files.clone(), variables };
            assert!(!built.holds(&stamp), "{changed}");
        }
    }

    #[test]
    fn a_source_edited_during_or_just_before_a_build_is_doubtful() {
        let built = Built::new();
        built.touch("main.rs", SystemTime::now() - GRANULARITY / 2);
        assert_eq!(built.take(), None);
        built.touch("main.rs", SystemTime::now() + AGE);
        assert_eq!(built.take(), None);
    }

    #[test]
    fn a_stamp_survives_being_kept_and_half_of_one_is_none() {
        let mut built = Built::new();
        built.variables.extend(["PATH", "KILN_NOT_SET"].map(OsString::from));
        let stamp = built.stamp();
        let kept = built.path("stamp");
        stamp.write(&kept).unwrap();
        assert_eq!(Stamp::read(&kept), Some(stamp));
        let bytes = std::fs::read(&kept).unwrap();
        for length in 0..bytes.len() {
            std::fs::write(&kept, &bytes[..length]).unwrap();
            assert_eq!(Stamp::read(&kept), None, "{length}");
        }
    }
}
