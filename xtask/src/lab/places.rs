use super::holder;
use std::path::{Path, PathBuf};

/// Where labs and what they share are kept.
pub(crate) struct Places {
    state: PathBuf,
    cache: PathBuf,
}

impl Places {
    /// As the environment says, or the machine's.
    pub(crate) fn new() -> Self {
        let of = |name: &str, default: &str| {
            let named = std::env::var_os(name).filter(|value| !value.is_empty());
            named.map_or_else(|| default.into(), PathBuf::from)
        };
        Self {
            state: of("KILN_LAB_STATE", "/var/lib/kiln-lab"),
            cache: of("KILN_LAB_CACHE", "/var/cache/kiln-lab"),
        }
    }

    /// A directory for each lab.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Debian's root and packages, and Python's.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Who lives in a lab's directory holds a lock on this.
    pub(super) fn lock(&self, name: &str) -> PathBuf {
        self.state.join(name).join("lock")
    }

    /// What a lab says of itself while it is up.
    pub(super) fn description(&self, name: &str) -> PathBuf {
        self.state.join(name).join("lab.json")
    }

    /// Beside the directory, which a lab clears when it comes and goes.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.state.join(format!("{name}.log"))
    }

    /// Whether a lab has come up and lives.
    pub(crate) fn is_up(&self, name: &str) -> bool {
        self.is_lived_in(name) && self.description(name).exists()
    }

    /// Whether a lab comes up, is up, or goes.
    pub(crate) fn is_lived_in(&self, name: &str) -> bool {
        holder::of(&self.lock(name)).is_ok_and(|holder| holder.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_lab_that_comes_up_is_lived_in_and_not_yet_up() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places { state: dir.path().to_owned(), cache: dir.path().to_owned() };
        std::fs::create_dir(dir.path().join("a")).unwrap();
        let lock = File::create(places.lock("a")).unwrap();
        assert!(!places.is_lived_in("a"));
        lock.lock().unwrap();
        assert!(places.is_lived_in("a") && !places.is_up("a"));
        File::create(places.description("a")).unwrap();
        assert!(places.is_up("a") && !places.is_lived_in("b"));
        lock.unlock().unwrap();
        assert!(!places.is_up("a"));
    }
}
