use kiln_engine::Error;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};

/// A path that is about to be written by root, perhaps for a user who has called `sudo`.
pub(super) struct Owned {
    path: PathBuf,
    /// The nearest directory above it that was there before.
    there: PathBuf,
}

impl Owned {
    pub(super) fn new(path: &Path) -> Self {
        let is_there = |folder: &&Path| folder.as_os_str().is_empty() || folder.is_dir();
        let there = path.ancestors().skip(1).find(is_there).unwrap_or(path);
        let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        Self { path: path.to_owned(), there: there.to_owned() }
    }

    /// Gives everything that was made to the owner of the directory that it was made in.
    ///
    /// # Errors
    /// When root may not.
    pub(super) fn hand_over(self) -> Result<(), Error> {
        let shown = self.path.display().to_string();
        self.give().map_err(|error| {
            Error::environment(format!("cannot give `{shown}` to its owner")).caused_by(error)
        })
    }

    fn give(self) -> std::io::Result<()> {
        let owner = std::fs::metadata(&self.there)?;
        let (uid, gid) = (Some(owner.uid()), Some(owner.gid()));
        if owner.uid() == 0 {
            return Ok(());
        }
        let made = self.path.ancestors().skip(1).take_while(|folder| *folder != self.there);
        for folder in made.filter(|folder| !folder.as_os_str().is_empty()) {
            lchown(folder, uid, gid)?;
        }
        let mut left = vec![self.path];
        while let Some(path) = left.pop() {
            lchown(&path, uid, gid)?;
            if path.symlink_metadata()?.is_dir() {
                for entry in std::fs::read_dir(&path)? {
                    left.push(entry?.path());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_makes_for_a_user_is_the_users() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        lchown(&home, Some(1234), Some(1234)).unwrap();
        let path = home.join("out/web");
        let owned = Owned::new(&path);
        std::fs::create_dir_all(path.join("blobs")).unwrap();
        std::fs::write(path.join("blobs/x"), "x").unwrap();
        owned.hand_over().unwrap();
        for made in ["out", "out/web", "out/web/blobs", "out/web/blobs/x"] {
            assert_eq!(std::fs::metadata(home.join(made)).unwrap().uid(), 1234, "{made}");
        }
        assert_eq!(std::fs::metadata(folder.path()).unwrap().uid(), 0);
    }
}
