use super::journal::{Object, Where};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;

/// What a run that is over has left.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) run: String,
    pub(super) place: Where,
    /// In the order in which they were made.
    pub(super) open: Vec<Left>,
}

/// An object that a run has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) object: Object,
    /// Its tag [`super::INTENT`].
    pub(super) token: String,
    /// `None`: nobody knows whether it was made.
    pub(super) id: Option<String>,
    /// Whether a read has shown it: when it is not there now, it is gone.
    pub(super) seen: bool,
    /// When it was intended: seconds since 1970.
    pub(super) at: u64,
}

impl Past {
    /// Reads the journal in a directory. A line that is cut off ended with the machine.
    pub(super) fn read(dir: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(dir.join("journal"))?;
        let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut place = Where(String::new());
        let mut open: BTreeMap<u64, Left> = BTreeMap::new();
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            if let Some(text) = line.strip_prefix("where ") {
                place = Where(text.to_owned());
                continue;
            }
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["intend", number, word, at] => {
                    let object = Object::ALL.into_iter().find(|object| object.word() == word);
                    let (Ok(number), Some(object), Ok(at)) = (number.parse(), object, at.parse())
                    else {
                        continue;
                    };
                    let token = format!("{run}-{number}");
                    open.insert(number, Left { object, token, id: None, seen: false, at });
                }
                ["made", number, id] => {
                    if let Some(left) = number.parse().ok().and_then(|n| open.get_mut(&n)) {
                        left.id = Some(id.to_owned());
                    }
                }
                ["seen", number] => {
                    if let Some(left) = number.parse().ok().and_then(|n| open.get_mut(&n)) {
                        left.seen = true;
                    }
                }
                ["done", number] => {
                    number.parse().ok().and_then(|n: u64| open.remove(&n));
                }
                _ => {}
            }
        }
        Ok(Self { run, place, open: open.into_values().collect() })
    }
}

/// The lock of a run that died; `None` for one that lives, or is just beginning.
pub(super) fn lock_of_the_dead(dir: &Path) -> Option<File> {
    let Ok(file) = File::open(dir.join("lock")) else {
        // Killed between making its directory and its lock: nothing was made yet.
        let age = dir.metadata().ok()?.modified().ok()?.elapsed().ok()?;
        return (age.as_secs() > 60).then(|| File::open(dir).ok()).flatten();
    };
    match file.try_lock() {
        Ok(()) => Some(file),
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_cut_off_is_passed_over() {
        let runs = tempfile::tempdir().unwrap();
        let text = "where x\nintend 0 instance 5\nmade 0 i-1\nintend 1 image 7\nmade 1 ami-";
        std::fs::write(runs.path().join("journal"), text).unwrap();
        let past = Past::read(runs.path()).unwrap();
        assert_eq!(past.open[1].id, None);
        assert_eq!(past.open[0].id.as_deref(), Some("i-1"));
    }
}
