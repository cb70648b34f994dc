use super::past::lock_of_the_dead;
use std::collections::BTreeMap;
use std::path::Path;

/// Whether a run is still under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Lives,
    Died,
    /// It is of another machine or store, or is over and has left nothing.
    Unknown,
}

/// The runs that a store knows.
#[derive(Debug, Default)]
pub(crate) struct Runs(BTreeMap<String, Life>);

/// Looks which runs of a store live: those whose lock is held.
pub(crate) fn living(runs: &Path) -> Runs {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(runs).into_iter().flatten().flatten() {
        let life = match lock_of_the_dead(&entry.path()) {
            Some(_) => Life::Died,
            None => Life::Lives,
        };
        found.insert(entry.file_name().to_string_lossy().into_owned(), life);
    }
    Runs(found)
}

impl Runs {
    pub(crate) fn life(&self, run: &str) -> Life {
        self.0.get(run).copied().unwrap_or(Life::Unknown)
    }

    #[cfg(test)]
    pub(crate) fn of(living: &[&str], dead: &[&str]) -> Self {
        let all = |runs: &[&str], life| {
            runs.iter().map(|run| ((*run).to_owned(), life)).collect::<Vec<_>>()
        };
        Self(all(living, Life::Lives).into_iter().chain(all(dead, Life::Died)).collect())
    }
}
