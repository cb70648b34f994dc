use kiln_engine::Error;
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What is written down before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Object {
    Instance,
    /// An AMI: one that a machine is launched from and that goes then, or one that is kept.
    Image,
    /// A snapshot that an AMI is made of. Those of layers are not written down: they are artifacts as soon
    /// as they exist.
    Snapshot,
    SecurityGroup,
}

impl Object {
    const ALL: [Self; 4] = [Self::Instance, Self::Image, Self::Snapshot, Self::SecurityGroup];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Image => "image",
            Self::Snapshot => "snapshot",
            Self::SecurityGroup => "security-group",
        }
    }
}

/// The cloud that a run works in: `eu-west-1`, or `eu-west-1 at http://…`. Journals of other places are left
/// alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Where(pub(crate) String);

/// The journal of a run that lives: `<runs>/<id>/journal`, beside a lock that is held as long as the process
/// lives.
#[derive(Debug)]
pub(crate) struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: String,
    dir: PathBuf,
    file: Mutex<File>,
    counter: AtomicU64,
    _lock: File,
}

impl Journal {
    pub(super) fn begin(runs: &Path, place: &Where) -> Result<Self, Error> {
        let failed = |error: std::io::Error| cannot_write(runs, error);
        std::fs::create_dir_all(runs).map_err(failed)?;
        // Unique in the account: the id is also the names' and tokens' first part.
        let dir = tempfile::Builder::new().prefix("").rand_bytes(12).tempdir_in(runs);
        let dir = dir.map_err(failed)?.keep();
        let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // A sweep that sees the directory before the lock is taken leaves it: it has no lock file yet.
        let staged = dir.join("lock.new");
        let lock = File::create(&staged).map_err(failed)?;
        lock.try_lock().map_err(|error| failed(error.into()))?;
        std::fs::rename(&staged, dir.join("lock")).map_err(failed)?;
        let mut file = File::create(dir.join("journal")).map_err(failed)?;
        writeln!(file, "where {}", place.0).and_then(|()| file.sync_all()).map_err(failed)?;
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        let shared =
            Shared { id, dir, file: Mutex::new(file), counter: AtomicU64::new(0), _lock: lock };
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn intend(&self, object: Object) -> Result<Intent, Error> {
        let number = self.shared.counter.fetch_add(1, Ordering::Relaxed);
        self.shared.write(&format!("intend {number} {} {}", object.word(), super::now()))?;
        Ok(Intent { journal: Arc::clone(&self.shared), number, object })
    }
}

impl Shared {
    /// A machine that loses power must not have made what it does not remember.
    fn write(&self, line: &str) -> Result<(), Error> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{line}")
            .and_then(|()| file.sync_data())
            .map_err(|error| cannot_write(&self.dir, error))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Everything is gone or kept on purpose: nothing for the next run to do.
        if Past::read(&self.dir).is_ok_and(|past| past.open.is_empty()) {
            let _the_next_run_tries_again = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// An object that is about to be made.
#[derive(Debug)]
pub(crate) struct Intent {
    journal: Arc<Shared>,
    number: u64,
    object: Object,
}

/// What has a line in the journal.
pub(crate) trait Traced {
    /// The run's id.
    fn run(&self) -> &str;

    /// Unique in the account: the client token of the creation, a tag, and part of names.
    fn token(&self) -> String;
}

impl Traced for Intent {
    fn run(&self) -> &str {
        &self.journal.id
    }

    fn token(&self) -> String {
        format!("{}-{}", self.journal.id, self.number)
    }
}

impl Traced for Made {
    fn run(&self) -> &str {
        &self.journal.id
    }

    fn token(&self) -> String {
        format!("{}-{}", self.journal.id, self.number)
    }
}

impl Intent {
    pub(super) fn object(&self) -> Object {
        self.object
    }

    /// It has been made.
    pub(super) fn made(self, id: &str) -> Result<Made, Error> {
        self.journal.write(&format!("made {} {id}", self.number))?;
        Ok(Made { journal: self.journal, number: self.number, id: id.to_owned() })
    }

    /// EC2 has refused to make it.
    pub(super) fn refused(self) -> Result<(), Error> {
        self.journal.write(&format!("done {}", self.number))
    }
}

/// An object that was made, and that somebody must end.
#[derive(Debug)]
pub(crate) struct Made {
    journal: Arc<Shared>,
    number: u64,
    id: String,
}

impl Made {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// It is gone, or is to stay.
    pub(crate) fn done(self) -> Result<(), Error> {
        self.journal.write(&format!("done {}", self.number))
    }
}

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
                    open.insert(number, Left { object, token, id: None, at });
                }
                ["made", number, id] => {
                    if let Some(left) = number.parse().ok().and_then(|n| open.get_mut(&n)) {
                        left.id = Some(id.to_owned());
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

fn cannot_write(dir: &Path, error: std::io::Error) -> Error {
    Error::environment(format!("cannot write the journal in `{}`", dir.display()))
        .help("nothing is made on EC2 that is not written down: make the store writable")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(runs: &Path) -> Journal {
        Journal::begin(runs, &Where("eu-west-1".into())).unwrap()
    }

    #[test]
    fn what_was_not_ended_is_left_with_what_is_known_of_it() {
        let runs = tempfile::tempdir().unwrap();
        let journal = journal(runs.path());
        let instance = journal.intend(Object::Instance).unwrap().made("i-1").unwrap();
        journal.intend(Object::SecurityGroup).unwrap().made("sg-1").unwrap().done().unwrap();
        journal.intend(Object::Snapshot).unwrap().refused().unwrap();
        let image = journal.intend(Object::Image).unwrap();
        let past = Past::read(&journal.shared.dir).unwrap();
        assert_eq!(past.place, Where("eu-west-1".into()));
        let seen: Vec<_> = past.open.iter().map(|left| (left.object, left.id.as_deref())).collect();
        assert_eq!(seen, [(Object::Instance, Some("i-1")), (Object::Image, None)]);
        assert_eq!(past.open[1].token, image.token());
        assert_eq!(instance.id(), "i-1");
    }

    #[test]
    fn a_run_that_ended_everything_leaves_no_journal_and_one_that_did_not_does() {
        let runs = tempfile::tempdir().unwrap();
        let tidy = journal(runs.path());
        tidy.intend(Object::Instance).unwrap().made("i-1").unwrap().done().unwrap();
        drop(tidy);
        assert_eq!(std::fs::read_dir(runs.path()).unwrap().count(), 0);
        let untidy = journal(runs.path());
        let made = untidy.intend(Object::Instance).unwrap().made("i-2").unwrap();
        drop((untidy, made));
        assert_eq!(std::fs::read_dir(runs.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_run_that_lives_is_not_dead() {
        let runs = tempfile::tempdir().unwrap();
        let living = journal(runs.path());
        let made = living.intend(Object::Instance).unwrap();
        let dir = living.shared.dir.clone();
        assert!(lock_of_the_dead(&dir).is_none());
        drop((living, made));
        assert!(lock_of_the_dead(&dir).is_some());
    }

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
